import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type PoolClient, withTransaction } from '@rollcall/database'
import { createTestDatabase, type TestDatabase } from '@rollcall/database/testing'
import { testEndpoints } from '@rollcall/dev'
import { createKafka, encodeRecordBody, partitionOf } from '@rollcall/kafka'
import { createTestTopic, readAll } from '@rollcall/kafka/testing'
import { createMetrics } from '@rollcall/observability'
import { silentLogger } from '@rollcall/observability/testing'
import { appendToOutbox } from '../../src/append.js'
import { createWakeUp } from '../../src/create-wake-up.js'
import { outboxMigrations } from '../../src/outbox-migrations.js'
import { createRelay, type Relay } from '../../src/relay/create-relay.js'
import { openOutboxReader, READER_SETTINGS, TICK_SQL } from '../../src/relay/outbox-reader.js'
import type { PublisherSource } from '../../src/relay/publisher.js'
import type { RelayOptions } from '../../src/relay/relay-options.js'
import { relayStatus } from '../../src/relay-status.js'
import { type RecordingPublisher, recordingPublisher } from './recording-publisher.js'

let database: TestDatabase
let publisher: RecordingPublisher
let relays: Relay[]

beforeEach(async () => {
  database = await createTestDatabase({ migrations: [outboxMigrations], max: 40 })
  await database.pool.query('CREATE TABLE subject (id uuid PRIMARY KEY, version bigint NOT NULL)')
  publisher = recordingPublisher()
  relays = []
})

afterEach(async () => {
  await Promise.all(relays.map((relay) => relay.stop().catch(() => {})))
  await database.close()
})

function startRelay(options: RelayOptions = {}, kafka: PublisherSource = publisher, instance = 'relay'): Relay {
  const relay = createRelay({
    databaseUrl: database.url,
    kafka,
    logger: silentLogger,
    metrics: createMetrics('test'),
    instance,
    options: { fallbackMs: 10, checkpointMs: 5, backoffMs: { first: 5, longest: 20 }, ...options },
  })
  relay.finished.catch(() => {})
  relay.start()
  relays.push(relay)
  return relay
}

/** One versioned change of a subject and its message, as a service makes it: under the subject's row lock. */
async function change(client: PoolClient, id: string, topic = 'subjects'): Promise<number> {
  const { rows } = await client.query<{ version: string }>(
    `INSERT INTO subject AS s (id, version) VALUES ($1, 1)
     ON CONFLICT (id) DO UPDATE SET version = s.version + 1 RETURNING version`,
    [id],
  )
  const version = Number(rows[0]?.version)
  await appendToOutbox(client, [{ aggregateId: id, version, topic, record: recordOf(id, version) }])
  return version
}

const recordOf = (id: string, version: number) =>
  encodeRecordBody({ key: id, value: Buffer.from('value'), headers: { ce_sequence: String(version) } })

const changeAlone = (id: string, topic?: string) =>
  withTransaction(database.pool, (client) => change(client, id, topic))

async function until(what: string, holds: () => boolean | Promise<boolean>, timeoutMs = 15_000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`)
    await delay(5)
  }
}

const committed = async () => {
  const { rows } = await database.pool.query<{ aggregate_id: string; version: number }>(
    'SELECT aggregate_id::text, version::float8 AS version FROM outbox.message',
  )
  return rows.map(({ aggregate_id, version }) => `${aggregate_id}@${version}`).sort()
}
const published = () => publisher.published.map(({ key, version }) => `${key}@${version}`)
const allShipped = async () => new Set(published()).size === (await committed()).length

/** Versions of one subject that left before an earlier one had. */
function inversions(): string[] {
  const last = new Map<string, number>()
  return publisher.published.flatMap(({ key, version }) => {
    const before = last.get(key) ?? 0
    last.set(key, Math.max(before, version))
    return version > before + 1 ? [`${key}: ${version} after ${before}`] : []
  })
}

/** Writers on a few hot subjects, a third of which hold a transaction open first, while one stays open throughout. */
async function adversarialLoad(changesPerWriter: number): Promise<void> {
  const hot = Array.from({ length: 6 }, () => randomUUID())
  const open = await database.pool.connect()
  await open.query('BEGIN')
  await change(open, randomUUID())
  try {
    await Promise.all(
      Array.from({ length: 16 }, async (_, writer) => {
        for (let turn = 0; turn < changesPerWriter; turn++) {
          await withTransaction(database.pool, async (client) => {
            // Takes a transaction id long before the hot row: where xid order and commit order part.
            if ((writer + turn) % 3 === 0) {
              await change(client, randomUUID())
              await delay((writer * 7 + turn) % 12)
            }
            await change(client, hot[(writer + turn) % hot.length] as string)
          })
        }
      }),
    )
    await until('all but the open transaction is shipped', allShipped)
    await open.query('COMMIT')
  } finally {
    await open.query('ROLLBACK')
    open.release()
  }
}

test('under hot rows, late commits and a transaction open throughout nothing is lost, inverted or waits', async () => {
  startRelay({ liveRows: 50 })
  await adversarialLoad(25)
  await until('the open transaction is shipped too', allShipped)
  expect(published().sort()).toEqual(await committed())
  expect(inversions()).toEqual([])
}, 60_000)

test('that load is hard enough: a reader with a cursor over ids loses rows of it', async () => {
  const seen = new Set<string>()
  let cursor = 0
  let reading = true
  const reader = (async () => {
    while (reading) {
      const { rows } = await database.pool.query<{ id: number; aggregate_id: string; version: number }>(
        'SELECT id::float8 AS id, aggregate_id::text, version::float8 AS version FROM outbox.message WHERE id > $1 ORDER BY id',
        [cursor],
      )
      for (const row of rows) seen.add(`${row.aggregate_id}@${row.version}`)
      cursor = rows.at(-1)?.id ?? cursor
      await delay(2)
    }
  })()
  // The relay only lets the load come to its end.
  startRelay()
  await adversarialLoad(25)
  await delay(50)
  reading = false
  await reader
  expect(seen.size).toBeLessThan((await committed()).length)
}, 60_000)

test('what is rolled back is never shipped', async () => {
  startRelay()
  const attempt = withTransaction(database.pool, async (client) => {
    await change(client, randomUUID())
    throw new Error('no')
  })
  await expect(attempt).rejects.toThrow('no')
  const id = randomUUID()
  await changeAlone(id)
  await until('the next one is shipped', () => published().length > 0)
  expect(published()).toEqual([`${id}@1`])
})

test('each record goes to the partition of its key', async () => {
  startRelay()
  await Promise.all(Array.from({ length: 20 }, () => changeAlone(randomUUID())))
  await until('all are shipped', allShipped)
  for (const { key, partition } of publisher.published) expect(partition).toBe(partitionOf(Buffer.from(key), 4))
})

test('a send whose answer was lost is repeated without the records that had come through', async () => {
  let failures = 0
  publisher.interfere = ({ at }) => {
    // The broker took them, its answer was lost.
    if (at === 'after' && failures < 2) {
      failures++
      throw Object.assign(new Error('connection lost'), { retryable: true })
    }
  }
  const id = randomUUID()
  for (let version = 1; version <= 5; version++) await changeAlone(id)
  startRelay()
  await until('all are shipped', async () => (await relayStatus(database.pool)).waiting === 0)
  expect(failures).toBe(1)
  expect(published()).toEqual([1, 2, 3, 4, 5].map((version) => `${id}@${version}`))
})

test('a back-log is worked off in pages, in order, once', async () => {
  const ids = Array.from({ length: 50 }, () => randomUUID())
  for (let version = 1; version <= 80; version++) {
    await appendToOutbox(
      database.pool,
      ids.map((id) => ({ aggregateId: id, version, topic: 'subjects', record: recordOf(id, version) })),
    )
  }
  startRelay({ liveRows: 100, pageRows: 333 })
  await until('all are shipped', () => published().length >= 4_000)
  await until('the position is stored', async () => (await relayStatus(database.pool)).waiting === 0)
  expect(published().sort()).toEqual(await committed())
  expect(inversions()).toEqual([])
})

test('a relay stopped in the middle of a back-log goes on where it was, losing nothing', async () => {
  const ids = Array.from({ length: 20 }, () => randomUUID())
  for (let version = 1; version <= 50; version++) {
    await appendToOutbox(
      database.pool,
      ids.map((id) => ({ aggregateId: id, version, topic: 'subjects', record: recordOf(id, version) })),
    )
  }
  let sends = 0
  publisher.interfere = async ({ at }) => {
    if (at === 'after' && ++sends === 3) void first.stop()
  }
  const first = startRelay({ liveRows: 10, pageRows: 100 })
  await first.finished
  expect(published().length).toBeLessThan(1_000)
  startRelay({ liveRows: 10, pageRows: 100 })
  await until('all are shipped', allShipped)
  expect(inversions()).toEqual([])
  // At most the page under way is shipped twice.
  expect(published().length).toBeLessThanOrEqual(1_100)
})

test('one relay leads, the other stands by; a leader that fell silent is replaced and can store nothing more', async () => {
  const one = startRelay({ leaseMs: 400, standbyPollMs: 20 }, publisher, 'one')
  await until('one leads', () => one.status().role === 'leader')
  const two = startRelay({ leaseMs: 400, standbyPollMs: 20 }, publisher, 'two')
  await delay(100)
  expect(two.status().role).toBe('standby')
  // As if one had been stopped for longer than its lease.
  await database.pool.query(
    "UPDATE outbox.relay SET heartbeat_at = clock_timestamp() - interval '1 minute', epoch = epoch + 1, owner = 'nobody'",
  )
  await until('one of them leads again', async () => (await relayStatus(database.pool)).active)
  const ids = Array.from({ length: 30 }, () => randomUUID())
  for (const id of ids) await changeAlone(id)
  await until('all are shipped', allShipped)
  expect(inversions()).toEqual([])
  expect([one, two].filter((relay) => relay.status().role === 'leader')).toHaveLength(1)
})

test('a clean stop hands the lead over at once', async () => {
  const one = startRelay({ leaseMs: 60_000, standbyPollMs: 10 }, publisher, 'one')
  await until('one leads', () => one.status().role === 'leader')
  const two = startRelay({ leaseMs: 60_000, standbyPollMs: 10 }, publisher, 'two')
  await one.stop()
  await until('two leads', () => two.status().role === 'leader', 2_000)
})

test.each([
  ['another cluster', 'UPDATE outbox.relay SET system_identifier = 1', 'ERR_OUTBOX_DATABASE_CHANGED'],
  ['a position of the future', "UPDATE outbox.relay SET snap = '900000000:900000000:'", 'ERR_OUTBOX_DATABASE_CHANGED'],
  [
    'an id sequence with a cache',
    'ALTER TABLE outbox.message ALTER COLUMN id SET CACHE 20',
    'ERR_OUTBOX_SEQUENCE_INVALID',
  ],
  [
    'another partition count',
    `UPDATE outbox.relay SET partition_counts = '{"subjects": 12}'`,
    'ERR_OUTBOX_PARTITIONS_CHANGED',
  ],
])('%s is refused, and nothing is shipped', async (_name, damage, code) => {
  await database.pool.query(damage)
  await changeAlone(randomUUID())
  await expect(startRelay().finished).rejects.toMatchObject({ code })
  expect(published()).toEqual([])
})

test('a record too large for the topic stops the relay at it, by name, with everything before it shipped', async () => {
  const [good, bad] = [randomUUID(), randomUUID()]
  await changeAlone(good)
  await changeAlone(bad)
  publisher.interfere = ({ at, records }) => {
    if (at === 'before' && records.some(({ body }) => body.includes(bad))) {
      throw Object.assign(new Error('too large'), { code: 'ERR_KAFKA_RECORD_TOO_LARGE', retryable: false })
    }
  }
  await expect(startRelay().finished).rejects.toMatchObject({
    code: 'ERR_OUTBOX_RECORD_TOO_LARGE',
    facts: { aggregateId: bad, version: 1 },
  })
  expect(published()).toContain(`${good}@1`)
})

test('a wake-up ships at once, long before the next look', async () => {
  startRelay({ fallbackMs: 30_000 })
  const wakeUp = createWakeUp({ url: database.url, logger: silentLogger })
  try {
    // Empty looks double the pause up to the fallback: only the wake-up can be this fast by then.
    await delay(600)
    for (let turn = 0; turn < 5; turn++) {
      await changeAlone(randomUUID())
      wakeUp.poke()
      await until('it is shipped', () => published().length === turn + 1, 2_000)
    }
  } finally {
    await wakeUp.close()
  }
})

test('the live look walks indexes only, whatever the planner believes', async () => {
  await appendToOutbox(
    database.pool,
    Array.from({ length: 3_000 }, () => ({
      aggregateId: randomUUID(),
      version: 1,
      topic: 'subjects',
      record: Buffer.from('x'),
    })),
  )
  await database.pool.query('ANALYZE outbox.message')
  const plan = await withTransaction(database.pool, async (client) => {
    for (const setting of READER_SETTINGS.split(';'))
      if (setting.trim()) await client.query(setting.replace('SET ', 'SET LOCAL '))
    await client.query(`PREPARE tick (pg_snapshot, xid8[], bigint) AS ${TICK_SQL}`)
    const { rows } = await client.query<{ 'QUERY PLAN': string }>("EXPLAIN EXECUTE tick ('1:1:', '{}', 1001)")
    return rows.map((row) => row['QUERY PLAN']).join('\n')
  })
  expect(plan).toContain('Index Scan')
  expect(plan).not.toContain('Seq Scan')
})

test('a reader sees a snapshot without missing what commits while it looks', async () => {
  const reader = await openOutboxReader(database.url, 'test')
  const open = await database.pool.connect()
  try {
    await open.query('BEGIN')
    await change(open, randomUUID())
    await changeAlone(randomUUID())
    const first = await reader.tick((await reader.tick('1:1:' as never, 0)).snapshot, 10)
    expect(first.page?.rows).toBe(0)
    await open.query('COMMIT')
    const second = await reader.tick(first.snapshot, 10)
    expect(second.page?.rows).toBe(1)
    expect((await reader.tick(second.snapshot, 10)).page?.rows).toBe(0)
  } finally {
    await open.query('ROLLBACK')
    open.release()
    await reader.close()
  }
})

test('on real Kafka the topic holds exactly what is in the table, in version order', async () => {
  const kafka = createKafka(
    { KAFKA_BROKERS: testEndpoints().kafka.split(',') },
    { logger: silentLogger, metrics: createMetrics('test') },
  )
  try {
    const topic = await createTestTopic(kafka, { partitions: 3 })
    const ids = Array.from({ length: 40 }, () => randomUUID())
    startRelay({}, kafka)
    for (let turn = 0; turn < 5; turn++) await Promise.all(ids.map((id) => changeAlone(id, topic)))
    await until('all are acknowledged', async () => (await relayStatus(database.pool)).waiting === 0)
    const records = await readAll(kafka, topic)
    expect(records.map(({ key, headers }) => `${key}@${headers.ce_sequence}`).sort()).toEqual(await committed())
    const versions = new Map<string, number>()
    for (const { key, headers } of records) {
      expect(Number(headers.ce_sequence)).toBe((versions.get(String(key)) ?? 0) + 1)
      versions.set(String(key), Number(headers.ce_sequence))
    }
  } finally {
    await Promise.all(relays.map((relay) => relay.stop()))
    await kafka.close()
  }
})
