import type { Bench } from './bench.js'
import { failover } from './benches/failover.js'
import { hotKeys } from './benches/hot-keys.js'
import { http } from './benches/http.js'
import { idle } from './benches/idle.js'
import { latency } from './benches/latency.js'
import { parked } from './benches/parked.js'
import { peers } from './benches/peers.js'
import { project } from './benches/project.js'
import { propagation } from './benches/propagation.js'
import { rebuild } from './benches/rebuild.js'
import { relay } from './benches/relay.js'
import { shadow } from './benches/shadow.js'
import { simulate } from './benches/simulate.js'
import { start } from './benches/start.js'
import { verify } from './benches/verify.js'
import { write } from './benches/write.js'

/** In the order in which they are run and shown. */
export const benches: readonly Bench[] = [
  write,
  http,
  relay,
  latency,
  hotKeys,
  project,
  parked,
  rebuild,
  shadow,
  verify,
  idle,
  start,
  failover,
  propagation,
  simulate,
  peers,
]
