import { prismaAdapter } from '@rollcall/database'
import { createTestDatabase, type TestDatabase } from '@rollcall/database/testing'
import { type ProjectionStore, prismaStore, projectionMigrations } from '@rollcall/projections'
import { storeRules } from '@rollcall/projections/testing'
import { PrismaClient } from '../src/generated/client.js'

// The third implementation of the port, here because this is where a generated Prisma client is.
let database: TestDatabase
let prisma: PrismaClient
beforeEach(async () => {
  database = await createTestDatabase({ migrations: [projectionMigrations] })
  await database.pool.query('CREATE TABLE contract_row (user_id uuid PRIMARY KEY, name text)')
  prisma = new PrismaClient({ adapter: prismaAdapter(database.pool) })
})
afterEach(async () => {
  await prisma?.$disconnect()
  await database?.close()
})

test.each([...storeRules])('$name', ({ check }) =>
  check({
    store: prismaStore(prisma) as ProjectionStore<unknown>,
    rows: async () => (await database.pool.query('SELECT user_id, name FROM contract_row ORDER BY user_id')).rows,
  }),
)
