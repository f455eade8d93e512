export { type LogSubject, logRules } from './contracts/log-rules.js'
export type { Rule } from './contracts/rule.js'
export { type StoreSubject, storeRules } from './contracts/store-rules.js'
export { type ProjectionCorpusOptions, projectionCorpus } from './projection-corpus.js'
export {
  type Expectation,
  noRow,
  type ProjectionTest,
  type ProjectionTestOptions,
  projectionTest,
  row,
} from './projection-test.js'
export { LAWS, type Law } from './simulator/laws.js'
export type { MemoryTables } from './simulator/memory-tables.js'
export { FAULT_KINDS, type Fault, type FaultKind, type Schedule, type Write } from './simulator/schedule.js'
export {
  expectSimulated,
  type SimulateOptions,
  type Simulation,
  SimulationError,
  type SimulationFailure,
  simulate,
} from './simulator/simulate.js'
