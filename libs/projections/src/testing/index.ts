export { type ProjectionCorpusOptions, projectionCorpus } from './projection-corpus.js'
export {
  type Expectation,
  noRow,
  type ProjectionTest,
  type ProjectionTestOptions,
  projectionTest,
  row,
} from './projection-test.js'
