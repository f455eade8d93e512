import { randomUUID } from 'node:crypto'
import { createTestDatabase, type TestDatabase } from '@rollcall/database/testing'
import pg from 'pg'
import { appendToOutbox } from '../src/append.js'
import { outboxMigrations } from '../src/outbox-migrations.js'
import { type Holder, readHolders } from '../src/read-holders.js'

let database: TestDatabase
const clients: pg.Client[] = []

beforeEach(async () => {
  database = await createTestDatabase({ migrations: [outboxMigrations] })
})

afterEach(async () => {
  for (const client of clients.splice(0)) await client.end()
  await database.close()
})

async function session(name: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: database.url, application_name: name })
  await client.connect()
  clients.push(client)
  return client
}
const pidOf = async (client: pg.Client) => (await client.query('SELECT pg_backend_pid() AS pid')).rows[0].pid as number
const holder = async (name: string): Promise<Holder | undefined> =>
  (await readHolders(database.pool, { olderThanMs: 0 })).find((one) => one.name === name)

test('a session left idle in a writing transaction is named, with what it holds back and what it does not', async () => {
  const name = `forgotten ${randomUUID()}`
  const client = await session(name)
  await client.query('BEGIN')
  await appendToOutbox(client, [{ aggregateId: randomUUID(), version: 1, topic: 't', record: Buffer.from('x') }])
  expect(await holder(name)).toMatchObject({
    kind: 'session',
    pid: await pidOf(client),
    state: 'idle in transaction',
    holdsBack: ['vacuum', 'retention', 'own messages'],
    wayOut: `SELECT pg_terminate_backend(${await pidOf(client)});`,
  })
  expect((await readHolders(database.pool)).map((one) => one.name)).not.toContain(name)
})

test('a session that only reads holds back vacuum, and retention only where it looked at the outbox', async () => {
  const [reading, looking] = [`reader ${randomUUID()}`, `looker ${randomUUID()}`]
  for (const [name, table] of [
    [reading, 'pg_class'],
    [looking, 'outbox.message'],
  ] as const) {
    const client = await session(name)
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
    await client.query(`SELECT count(*) FROM ${table}`)
  }
  expect((await holder(reading))?.holdsBack).toEqual(['vacuum'])
  expect((await holder(looking))?.holdsBack).toEqual(['vacuum', 'retention'])
})

test('a session without a transaction holds nothing', async () => {
  const name = `at rest ${randomUUID()}`
  await (await session(name)).query('SELECT 1')
  expect(await holder(name)).toBeUndefined()
})

test('a replication slot nobody reads is named, with the WAL it keeps', async () => {
  const name = `slot_${randomUUID().replaceAll('-', '')}`
  await database.pool.query('SELECT pg_create_physical_replication_slot($1, true)', [name])
  try {
    await appendToOutbox(database.pool, [
      { aggregateId: randomUUID(), version: 1, topic: 't', record: Buffer.alloc(100_000, 'x') },
    ])
    const found = await holder(name)
    expect(found).toMatchObject({
      kind: 'replication slot',
      pid: null,
      holdsBack: ['disk'],
      wayOut: `SELECT pg_drop_replication_slot('${name}');`,
    })
    expect(found?.state).toContain('inactive')
    expect(found?.walBytes).toBeGreaterThan(0)
    expect(found?.ageMs).toBeGreaterThanOrEqual(0)
  } finally {
    await database.pool.query('SELECT pg_drop_replication_slot($1)', [name])
  }
})

test('a prepared transaction is named, where the server allows any', async () => {
  const { rows } = await database.pool.query<{ most: number }>(
    "SELECT current_setting('max_prepared_transactions')::integer AS most",
  )
  const name = `prepared ${randomUUID()}`
  if (rows[0]?.most === 0) {
    // The query still has to be one the server understands.
    expect(await holder(name)).toBeUndefined()
    return
  }
  const client = await session('preparing')
  await client.query('BEGIN')
  await appendToOutbox(client, [{ aggregateId: randomUUID(), version: 1, topic: 't', record: Buffer.from('x') }])
  await client.query(`PREPARE TRANSACTION '${name}'`)
  try {
    expect(await holder(name)).toMatchObject({
      kind: 'prepared transaction',
      pid: null,
      holdsBack: ['vacuum', 'retention', 'own messages'],
      wayOut: `COMMIT PREPARED '${name}'; or ROLLBACK PREPARED '${name}';`,
    })
  } finally {
    await client.query(`ROLLBACK PREPARED '${name}'`)
  }
})
