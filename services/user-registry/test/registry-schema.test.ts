import { readFileSync } from 'node:fs'
import { prismaAdapter } from '@rollcall/database'
import { createTestDatabase, type TestDatabase } from '@rollcall/database/testing'
import { PrismaClient } from '../src/generated/client.js'
import { registryMigrations } from '../src/registry-migrations.js'

let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase({ migrations: registryMigrations })
})

afterAll(() => database.close())

// The migrations are written by hand where Prisma's language ends: this is what keeps both telling the same.
test('every column of the Prisma schema is in the migrated database, and no other', async () => {
  const prisma = new PrismaClient({ adapter: prismaAdapter(database.pool) })
  try {
    expect(await prisma.userAccount.findMany()).toEqual([])
    expect(await prisma.userEmail.findMany()).toEqual([])
    expect(await prisma.idempotencyKey.findMany()).toEqual([])
  } finally {
    await prisma.$disconnect()
  }
  const { rows } = await database.pool.query<{ place: string }>(
    `SELECT table_name || '.' || column_name AS place FROM information_schema.columns
     WHERE table_schema = 'public' AND table_name <> '_prisma_migrations' ORDER BY place`,
  )
  expect(rows.map(({ place }) => place)).toEqual(columnsOfModels())
})

test('names are compared by their bytes: prefixes and pages follow them', async () => {
  const { rows } = await database.pool.query<{ collation: string }>(
    `SELECT DISTINCT c.collname AS collation FROM pg_attribute a JOIN pg_collation c ON c.oid = a.attcollation
     WHERE (a.attrelid, a.attname) IN (('user_account'::regclass, 'user_name_key'), ('user_email'::regclass, 'email_key'))`,
  )
  expect(rows).toEqual([{ collation: 'C' }])
})

function columnsOfModels(): string[] {
  const schema = readFileSync(new URL('../../../prisma/user-registry/schema.prisma', import.meta.url), 'utf8').replace(
    /\/\/.*$/gm,
    '',
  )
  return [...schema.matchAll(/^model \w+ \{(?<body>[^}]*)\n\}/gm)]
    .flatMap(({ groups }) => {
      const lines = (groups?.body ?? '').split('\n')
      const table = lines.map((text) => /^\s*@@map\("(\w+)"\)/.exec(text)?.[1]).find(Boolean)
      return lines.flatMap((text) => {
        const field = /^ {2}(\w+)\s+[A-Z]/.exec(text)?.[1]
        return field === undefined ? [] : [`${table}.${/@map\("(\w+)"\)/.exec(text)?.[1] ?? field}`]
      })
    })
    .sort()
}
