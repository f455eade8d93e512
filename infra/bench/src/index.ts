export type { Bench, BenchContext, Result } from './bench.js'
export { judgeOf, type Verdict } from './peers/judge-topic.js'
