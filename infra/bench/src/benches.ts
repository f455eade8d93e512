import type { Bench } from './bench.js'
import { hotKeys } from './benches/hot-keys.js'
import { latency } from './benches/latency.js'
import { rebuild } from './benches/rebuild.js'
import { relay } from './benches/relay.js'
import { write } from './benches/write.js'

/** In the order in which they are run and shown. */
export const benches: readonly Bench[] = [write, relay, latency, hotKeys, rebuild]
