import type { Bench } from './bench.js'

/** In the order in which they are run and shown. */
export const benches: readonly Bench[] = []
