import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { migrate } from '../../src/index.js'
import { createTestDatabase, type TestDatabase } from '../../src/testing/index.js'

let database: TestDatabase
let folder: string

beforeEach(async () => {
  database = await createTestDatabase()
  folder = await mkdtemp(join(tmpdir(), 'migrations-'))
})

afterEach(async () => {
  await database.close()
  await rm(folder, { recursive: true })
})

async function write(name: string, sql: string): Promise<void> {
  await mkdir(join(folder, name), { recursive: true })
  await writeFile(join(folder, name, 'migration.sql'), sql)
}

const source = (schema = 'shop') => ({ schema, directory: pathToFileURL(folder) })
const migrateAll = (schema?: string) => migrate(database.pool, [source(schema)])
const history = async (schema = 'shop') =>
  (
    await database.pool.query(
      `SELECT migration_name, checksum, applied_steps_count, finished_at IS NOT NULL AS finished
       FROM ${schema}._prisma_migrations ORDER BY migration_name`,
    )
  ).rows

test('migrations run once, in the order of their names, into their own schema, recorded as Prisma records them', async () => {
  await write('2_second', 'ALTER TABLE item ADD COLUMN label text')
  await write('1_first', 'CREATE TABLE item (id integer); INSERT INTO item VALUES (1);')
  expect(await migrateAll()).toEqual([
    { schema: 'shop', name: '1_first' },
    { schema: 'shop', name: '2_second' },
  ])
  expect(await migrateAll()).toEqual([])
  await write('3_third', 'UPDATE item SET id = 3')
  expect(await migrateAll()).toEqual([{ schema: 'shop', name: '3_third' }])
  expect((await database.pool.query('SELECT id, label FROM shop.item')).rows).toEqual([{ id: 3, label: null }])
  expect(await history()).toContainEqual({
    migration_name: '3_third',
    checksum: createHash('sha256').update('UPDATE item SET id = 3').digest('hex'),
    applied_steps_count: 1,
    finished: true,
  })
})

test('services that start together apply each migration once', async () => {
  for (let n = 1; n <= 5; n++) await write(`${n}_table`, `SELECT pg_sleep(0.02); CREATE TABLE t${n} (id integer)`)
  const applied = await Promise.all(Array.from({ length: 6 }, () => migrateAll('public')))
  expect(applied.flat()).toHaveLength(5)
  expect(await history('public')).toHaveLength(5)
})

test('an applied migration that was edited is refused by name', async () => {
  await write('1_first', 'CREATE TABLE item (id integer)')
  await migrateAll()
  await write('1_first', 'CREATE TABLE item (id bigint)')
  await write('2_second', 'CREATE TABLE other (id integer)')
  await expect(migrateAll()).rejects.toMatchObject({
    code: 'ERR_MIGRATION_CHANGED',
    facts: { schema: 'shop', migration: '1_first' },
  })
  expect(await history()).toHaveLength(1)
})

test('a migration that fails leaves nothing, keeps those before it, and runs again once it is mended', async () => {
  await write('1_first', 'CREATE TABLE item (id integer)')
  await write('2_broken', 'CREATE TABLE half (id integer); SELECT * FROM nowhere;')
  await expect(migrateAll()).rejects.toMatchObject({ code: 'ERR_MIGRATION_FAILED', facts: { migration: '2_broken' } })
  expect(await history()).toHaveLength(1)
  expect((await database.pool.query("SELECT to_regclass('shop.half') AS half")).rows).toEqual([{ half: null }])
  await write('2_broken', 'CREATE TABLE half (id integer)')
  expect(await migrateAll()).toHaveLength(1)
})

test("a migration that Prisma's engine began and did not finish is refused until somebody decides", async () => {
  await write('1_first', 'CREATE TABLE item (id integer)')
  await migrateAll()
  await database.pool.query('UPDATE shop._prisma_migrations SET finished_at = NULL')
  await expect(migrateAll()).rejects.toMatchObject({ code: 'ERR_MIGRATION_UNFINISHED' })
})

test('an older build leaves the migrations of a newer one alone', async () => {
  await write('1_first', 'CREATE TABLE item (id integer)')
  await write('2_newer', 'CREATE TABLE newer (id integer)')
  await migrateAll()
  await rm(join(folder, '2_newer'), { recursive: true })
  expect(await migrateAll()).toEqual([])
})
