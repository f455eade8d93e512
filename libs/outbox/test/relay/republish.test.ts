import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { createTestDatabase, type TestDatabase } from '@rollcall/database/testing'
import { encodeRecordBody } from '@rollcall/kafka'
import { createMetrics } from '@rollcall/observability'
import { silentLogger } from '@rollcall/observability/testing'
import { appendToOutbox } from '../../src/append.js'
import { outboxMigrations } from '../../src/outbox-migrations.js'
import { createRelay, type Relay } from '../../src/relay/create-relay.js'
import type { RelayOptions } from '../../src/relay/relay-options.js'
import { relayStatus } from '../../src/relay-status.js'
import { planRepublish, type RepublishScope, readRepublish, requestRepublish } from '../../src/republish.js'
import { dropShippedPartitions } from '../../src/retention/drop-shipped-partitions.js'
import { type RecordingPublisher, recordingPublisher } from './recording-publisher.js'

let database: TestDatabase
let publisher: RecordingPublisher
let relays: Relay[]

beforeEach(async () => {
  database = await createTestDatabase({ migrations: [outboxMigrations] })
  publisher = recordingPublisher()
  relays = []
})

afterEach(async () => {
  await Promise.all(relays.map((relay) => relay.stop().catch(() => {})))
  await database.close()
})

function startRelay(options: RelayOptions = {}): Relay {
  const relay = createRelay({
    databaseUrl: database.url,
    kafka: publisher,
    logger: silentLogger,
    metrics: createMetrics('test'),
    options: { fallbackMs: 10, checkpointMs: 5, backoffMs: { first: 5, longest: 20 }, ...options },
  })
  relay.start()
  relays.push(relay)
  return relay
}

const append = (ids: readonly string[], version: number) =>
  appendToOutbox(
    database.pool,
    ids.map((id) => ({
      aggregateId: id,
      version,
      topic: 'subjects',
      record: encodeRecordBody({ key: id, value: 'value', headers: { ce_sequence: String(version) } }),
    })),
  )
const published = () => publisher.published.map(({ key, version }) => `${key}@${version}`)
const allShipped = async () => (await relayStatus(database.pool)).waiting === 0
const request = (scope: RepublishScope) => requestRepublish(database.pool, scope, 'the topic was lost')
const finished = async (job: number) => (await readRepublish(database.pool, job))?.finishedAt !== null

async function until(what: string, holds: () => boolean | Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`)
    await delay(5)
  }
}

async function shipped(ids: readonly string[], versions: number): Promise<void> {
  for (let version = 1; version <= versions; version++) await append(ids, version)
  await until('all are shipped', allShipped)
  publisher.published.length = 0
}

test("one aggregate's messages go to the topic once more, in order, and nobody else's", async () => {
  startRelay()
  const [one, other] = [randomUUID(), randomUUID()]
  await shipped([one, other], 3)
  const before = await relayStatus(database.pool)
  expect(await planRepublish(database.pool, { aggregateId: one })).toMatchObject({ messages: 3 })
  const job = await request({ aggregateId: one })
  await until('it is done', () => finished(job))
  expect(published()).toEqual([`${one}@1`, `${one}@2`, `${one}@3`])
  expect(await readRepublish(database.pool, job)).toMatchObject({
    aggregateId: one,
    sent: 3,
    reason: 'the topic was lost',
  })
  // It is no part of the position, and the next change goes on as ever.
  expect((await relayStatus(database.pool)).shipped).toBe(before.shipped)
  await append([one], 4)
  await until('the next change is shipped', () => published().length === 4)
  expect(published().at(-1)).toBe(`${one}@4`)
})

test('everything since a time goes to the topic once more, in order; what is older does not', async () => {
  startRelay()
  const ids = Array.from({ length: 30 }, () => randomUUID())
  await shipped(ids, 2)
  const { rows } = await database.pool.query<{ now: Date }>('SELECT clock_timestamp() AS now')
  const since = new Date((rows[0]?.now.getTime() ?? 0) + 1)
  await delay(5)
  await append(ids, 3)
  await append(ids, 4)
  await until('all are shipped', allShipped)
  publisher.published.length = 0
  expect(await planRepublish(database.pool, { since })).toMatchObject({ messages: 60 })
  const job = await request({ since })
  await until('it is done', () => finished(job))
  expect(published()).toEqual([3, 4].flatMap((version) => ids.map((id) => `${id}@${version}`)))
})

test('a change of somebody who is still to be sent again takes the earlier versions before it', async () => {
  // A page of 500, and then nothing for minutes.
  startRelay({ republishPerSecond: 1 })
  const ids = Array.from({ length: 300 }, () => randomUUID())
  await shipped(ids, 3)
  const last = ids.at(-1) as string
  const job = await request({ since: new Date(0) })
  await until('the first page is sent', () => published().length === 500)
  await append([last], 4)
  await until('the change is shipped', () => published().includes(`${last}@4`))
  expect(await finished(job)).toBe(false)
  const mine = published().filter((name) => name.startsWith(last))
  expect(mine).toEqual([1, 2, 3, 4].map((version) => `${last}@${version}`))
})

test('a relay that takes over goes on with it', async () => {
  const first = startRelay({ republishPerSecond: 1 })
  const ids = Array.from({ length: 400 }, () => randomUUID())
  await shipped(ids, 2)
  const job = await request({ since: new Date(0) })
  await until('the first page is sent', () => published().length === 500)
  await first.stop()
  const last = ids.at(-1) as string
  await append([last], 3)
  startRelay()
  await until('it is done', () => finished(job))
  await until('all is shipped', allShipped)
  const mine = published().filter((name) => name.startsWith(last))
  // Its second version waited behind the first page: it comes before the third, and once more in its turn.
  expect(mine.slice(0, 3)).toEqual([1, 2, 3].map((version) => `${last}@${version}`))
  expect(new Set(published()).size).toBe(801)
})

test('a send that fails in the middle of it is tried again', async () => {
  startRelay()
  const id = randomUUID()
  await shipped([id], 5)
  let failures = 0
  publisher.interfere = ({ at }) => {
    if (at === 'before' && failures++ < 3) throw Object.assign(new Error('no broker'), { retryable: true })
  }
  const job = await request({ aggregateId: id })
  await until('it is done', () => finished(job))
  expect(published()).toEqual([1, 2, 3, 4, 5].map((version) => `${id}@${version}`))
})

test('partitions that are still to be sent again are not dropped', async () => {
  await database.pool.query(`
    DROP TABLE outbox.message_000000000000001;
    CREATE TABLE outbox.message_000000000000001 PARTITION OF outbox.message FOR VALUES FROM (1) TO (6);
    CREATE TABLE outbox.message_000000000000006 PARTITION OF outbox.message FOR VALUES FROM (6) TO (1000)`)
  const id = randomUUID()
  for (let version = 1; version <= 12; version++) await append([id], version)
  const drop = async () => {
    // A writer elsewhere in the cluster may hold the horizon back for a moment.
    await database.pool.query('UPDATE outbox.relay SET snap = pg_current_snapshot(), upper = NULL')
    return (await dropShippedPartitions(database.pool, { keepMs: 0 }, silentLogger)).map(({ from }) => from)
  }
  const job = await request({ aggregateId: id })
  for (let turn = 0; turn < 10; turn++) {
    expect(await drop()).toEqual([])
    await delay(10)
  }
  // Past the first partition, in the middle of the second.
  await database.pool.query('UPDATE outbox.republish SET last_id = 7 WHERE id = $1', [job])
  const dropped: number[] = []
  await until('the first partition is dropped', async () => {
    dropped.push(...(await drop()))
    return dropped.length > 0
  })
  expect(dropped).toEqual([1])
})
