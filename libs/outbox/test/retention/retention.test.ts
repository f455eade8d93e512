import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { createTestDatabase, type TestDatabase } from '@rollcall/database/testing'
import { silentLogger } from '@rollcall/observability/testing'
import { appendToOutbox } from '../../src/append.js'
import { outboxMigrations } from '../../src/outbox-migrations.js'
import { readArchive } from '../../src/read-archive.js'
import { dropShippedPartitions } from '../../src/retention/drop-shipped-partitions.js'
import { makePartitions } from '../../src/retention/make-partitions.js'
import { readPartitions } from '../../src/retention/partitions.js'

let database: TestDatabase

beforeEach(async () => {
  database = await createTestDatabase({ migrations: [outboxMigrations] })
  // Small partitions from the beginning: the first one of the migration holds ten million ids.
  await database.pool.query(`
    DROP TABLE outbox.message_000000000000001;
    CREATE TABLE outbox.message_000000000000001 PARTITION OF outbox.message FOR VALUES FROM (1) TO (101)`)
})

afterEach(() => database.close())

const write = (count: number) =>
  appendToOutbox(
    database.pool,
    Array.from({ length: count }, () => ({
      aggregateId: randomUUID(),
      version: 1,
      topic: 't',
      record: Buffer.from('x'),
    })),
  )
const make = () => makePartitions(database.pool, { partitionRows: 100, ahead: 2 })
const drop = (keepMs = 0) => dropShippedPartitions(database.pool, { keepMs }, silentLogger)
const shipAll = () => database.pool.query('UPDATE outbox.relay SET snap = pg_current_snapshot(), upper = NULL')

/** Ships and drops until something goes: a writer of another database of the cluster may hold the horizon back for a moment. */
async function dropEventually(): Promise<number[]> {
  for (let attempt = 0; attempt < 400; attempt++) {
    await shipAll()
    const dropped = await drop()
    if (dropped.length > 0) return dropped.map(({ from }) => from)
    await delay(25)
  }
  return []
}
const count = async () => Number((await database.pool.query('SELECT count(*) AS n FROM outbox.message')).rows[0].n)

test('partitions are made ahead of the ids, once, by however many processes', async () => {
  const made = (await Promise.all([make(), make(), make()])).flat()
  // The first partition is still empty: it is one of the two ahead.
  expect(made.map(({ from }) => from)).toEqual([101])
  await write(150)
  await make()
  expect((await readPartitions(database.pool)).map(({ from, to }) => [from, to])).toEqual([
    [1, 101],
    [101, 201],
    [201, 301],
    [301, 401],
  ])
})

test('a write never fails for want of a partition, and later ones get theirs', async () => {
  await write(350)
  expect(await count()).toBe(350)
  await make()
  await write(300)
  await make()
  expect(await count()).toBe(650)
})

test('only whole partitions that are shipped and old enough go', async () => {
  await make()
  await write(250)
  await make()
  expect(await drop()).toEqual([])
  await shipAll()
  expect(await drop(3_600_000)).toEqual([])
  expect(await dropEventually()).toEqual([1, 101])
  expect(await count()).toBe(50)
})

test('a partition with a row that is not shipped stays, and so do all after it', async () => {
  await make()
  const open = await database.pool.connect()
  try {
    await open.query('BEGIN')
    await appendToOutbox(open, [{ aggregateId: randomUUID(), version: 1, topic: 't', record: Buffer.from('late') }])
    await write(250)
    await make()
    await shipAll()
    expect(await drop()).toEqual([])
    await open.query('COMMIT')
    expect(await drop()).toEqual([])
    expect(await dropEventually()).toEqual([1, 101])
  } finally {
    await open.query('ROLLBACK')
    open.release()
  }
})

test('the archive gives one aggregate in version order, and refuses a version twice', async () => {
  const id = randomUUID()
  const message = (version: number) => ({ aggregateId: id, version, topic: 't', record: Buffer.from(`v${version}`) })
  await appendToOutbox(database.pool, [message(1), message(2)])
  await write(5)
  await appendToOutbox(database.pool, [message(3)])
  expect((await readArchive(database.pool, id)).map(({ version, record }) => [version, String(record)])).toEqual([
    [1, 'v1'],
    [2, 'v2'],
    [3, 'v3'],
  ])
  expect((await readArchive(database.pool, id, { afterVersion: 1, limit: 1 })).map(({ version }) => version)).toEqual([
    2,
  ])
})
