import { isTransientDatabaseError, type Pool, type PoolClient, withTransaction } from '@rollcall/database'
import type { ProjectionStore } from './projection-store.js'
import { SEARCH_FIRST, type StoreConnection, sqlStore } from './sql-store.js'
import { quoted } from './table-rows.js'

/** The store over a pg pool; handlers get the pool's client as `tx`. */
export function pgStore(pool: Pool): ProjectionStore<PoolClient> {
  return sqlStore(connection(pool))
}

function connection(pool: Pool, schema?: string): StoreConnection<PoolClient> {
  return {
    sql: pool,
    transaction: (work) =>
      withTransaction(pool, async (client) => {
        if (schema !== undefined) await client.query(SEARCH_FIRST, [quoted(schema)])
        return work(client, client)
      }),
    isTransient: isTransientDatabaseError,
    pool,
    inSchema: (name) => connection(pool, name),
  }
}
