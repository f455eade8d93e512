import { isTransientDatabaseError, type Pool, type PoolClient, withTransaction } from '@rollcall/database'
import type { ProjectionStore } from './projection-store.js'
import { sqlStore } from './sql-store.js'

/** The store over a pg pool; handlers get the pool's client as `tx`. */
export function pgStore(pool: Pool): ProjectionStore<PoolClient> {
  return sqlStore<PoolClient>({
    sql: pool,
    transaction: (work) => withTransaction(pool, (client) => work(client, client)),
    isTransient: isTransientDatabaseError,
    pool,
  })
}
