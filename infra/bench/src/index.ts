export type { Bench, BenchContext, Result } from './bench.js'
