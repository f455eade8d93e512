import type { Pool, PoolClient } from '@rollcall/database'
import { RollcallError } from '@rollcall/errors'
import type { ProjectionStore } from './projection-store.js'

/** The store over a pg pool; handlers get the pool's client as `tx`. */
export function pgStore(pool: Pool): ProjectionStore<PoolClient> {
  throw new RollcallError({ code: 'ERR_TODO', message: String(pool.totalCount) })
}
