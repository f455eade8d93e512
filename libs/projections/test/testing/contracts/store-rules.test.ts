import { createTestDatabase, type TestDatabase } from '@rollcall/database/testing'
import { type ProjectionStore, pgStore, projectionMigrations } from '../../../src/index.js'
import { type StoreSubject, storeRules } from '../../../src/testing/contracts/store-rules.js'
import { liveStore } from '../../../src/testing/simulator/live.js'
import { memoryDatabase } from '../../../src/testing/simulator/memory-database.js'

// The same rules for the simulator's store and for Postgres: what the simulator proves is worth what the two have in common.
describe('the store in memory', () => {
  test.each([...storeRules])('$name', ({ check }) => check(inMemory()))
})

describe('the store over pg', () => {
  let database: TestDatabase
  beforeEach(async () => {
    database = await createTestDatabase({ migrations: [projectionMigrations] })
    await database.pool.query('CREATE TABLE contract_row (user_id uuid PRIMARY KEY, name text)')
  })
  afterEach(() => database.close())

  test.each([...storeRules])('$name', ({ check }) =>
    check({
      store: pgStore(database.pool) as ProjectionStore<unknown>,
      rows: async () => (await database.pool.query('SELECT user_id, name FROM contract_row ORDER BY user_id')).rows,
    }),
  )
})

function inMemory(): StoreSubject {
  const database = memoryDatabase()
  return {
    store: liveStore(database, (tables) => tables),
    rows: async () =>
      [...database.table<{ user_id: string; name: string | null }>('contract_row').rows.values()].sort((a, b) =>
        a.user_id < b.user_id ? -1 : 1,
      ),
  }
}
