import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { withTransaction } from '@rollcall/database'
import { createTestDatabase, type TestDatabase } from '@rollcall/database/testing'
import { encodeRecordBody } from '@rollcall/kafka'
import { createMetrics, type Metrics } from '@rollcall/observability'
import { silentLogger } from '@rollcall/observability/testing'
import { appendToOutbox } from '../../src/append.js'
import { outboxMigrations } from '../../src/outbox-migrations.js'
import { createRelay, type Relay, relayHealthy } from '../../src/relay/create-relay.js'
import { backLogPageSql, type OutboxReader, openOutboxReader, READER_SETTINGS } from '../../src/relay/outbox-reader.js'
import type { Page } from '../../src/relay/page.js'
import { openPresence } from '../../src/relay/presence.js'
import { reanchorRelay } from '../../src/relay/reanchor-relay.js'
import type { RelayOptions } from '../../src/relay/relay-options.js'
import { storePosition, type Term, takeLead } from '../../src/relay/relay-state.js'
import { chunksOf } from '../../src/relay/ship-page.js'
import type { SnapshotText } from '../../src/relay/snapshot.js'
import { relayStatus } from '../../src/relay-status.js'
import { type RecordingPublisher, recordingPublisher } from './recording-publisher.js'

let database: TestDatabase
let publisher: RecordingPublisher
let metrics: Metrics
let relays: Relay[]

beforeEach(async () => {
  database = await createTestDatabase({ migrations: [outboxMigrations] })
  publisher = recordingPublisher()
  metrics = createMetrics('test')
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
    metrics,
    options: { fallbackMs: 10, checkpointMs: 5, backoffMs: { first: 5, longest: 20 }, ...options },
  })
  relay.start()
  relays.push(relay)
  return relay
}

const messages = (id: string, ...versions: number[]) =>
  versions.map((version) => ({
    aggregateId: id,
    version,
    topic: 'subjects',
    record: encodeRecordBody({ key: id, value: 'value', headers: { ce_sequence: String(version) } }),
  }))
const append = (id: string, ...versions: number[]) => appendToOutbox(database.pool, messages(id, ...versions))
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1)
const published = () => publisher.published.map(({ key, version }) => `${key}@${version}`)
const nothingWaits = async () => (await relayStatus(database.pool)).waiting === 0

async function until(what: string, holds: () => boolean | Promise<boolean>, timeoutMs = 15_000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`)
    await delay(5)
  }
}

test('killed database sessions, again and again, cost nothing but time', async () => {
  const relay = startRelay()
  const id = randomUUID()
  for (const version of upTo(60)) {
    await append(id, version)
    if (version % 10 === 0) {
      await database.pool.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'rollcall relay%' AND datname = current_database()",
      )
    }
  }
  await until('all are shipped', () => new Set(published()).size === 60)
  await until('the relay is well again', async () => (await relayHealthy(relay).catch(() => 'unwell')) === undefined)
})

test('while Kafka refuses everything the relay keeps the lead, says so, and goes on by itself', async () => {
  let down = true
  publisher.interfere = ({ at }) => {
    if (down && at === 'before') throw Object.assign(new Error('no broker'), { retryable: true })
  }
  const relay = startRelay({ leaseMs: 300 })
  await until('it leads', () => relay.status().role === 'leader')
  await relayHealthy(relay)
  await append(randomUUID(), 1)
  await until('it is unwell', async () => (await relayHealthy(relay).catch(() => 'unwell')) === 'unwell')
  await delay(600)
  expect(relay.status().role).toBe('leader')
  expect(relay.status().epoch).toBe(1)
  down = false
  await until('it is shipped', nothingWaits)
  await until('it is well again', async () => (await relayHealthy(relay).catch(() => 'unwell')) === undefined)
})

test('a leader that slept past its lease finds out before it sends', async () => {
  let nowMs = 0
  const relay = startRelay({ leaseMs: 60_000, standbyPollMs: 20, monotonicMs: () => nowMs })
  await until('it leads', () => relay.status().role === 'leader')
  await append(randomUUID(), 1)
  await until('it ships', async () => published().length === 1 && (await nothingWaits()))
  const another = await openPresence(database.url, 'another', 'test')
  await database.pool.query(
    "UPDATE outbox.relay SET epoch = epoch + 1, owner = 'another', heartbeat_at = clock_timestamp() + interval '1 hour'",
  )
  nowMs += 60_001
  await append(randomUUID(), 1)
  await until('it stands by', () => relay.status().role === 'standby')
  expect(published()).toHaveLength(1)
  await another.close()
})

test('a fenced relay, or one with another idea of the position, stores nothing', async () => {
  const first = await takeLead(database.pool, 'first', 1)
  if (first === undefined) throw new Error('the lead was free')
  await delay(20)
  const presence = await openPresence(database.url, 'second', 'test')
  const second = await takeLead(database.pool, 'second', 60_000)
  expect(await takeLead(database.pool, 'third', 60_000)).toBeUndefined()
  expect(second?.epoch).toBe(first.epoch + 1)
  const moved = { ...first.position, snap: '5:5:' as SnapshotText }
  const fenced = { code: 'ERR_OUTBOX_RELAY_FENCED' }
  await expect(storePosition(database.pool, first.epoch, first.position, moved)).rejects.toMatchObject(fenced)
  await expect(storePosition(database.pool, first.epoch + 1, moved, moved)).rejects.toMatchObject(fenced)
  await storePosition(database.pool, first.epoch + 1, first.position, moved)
  expect((await database.pool.query('SELECT snap::text, epoch FROM outbox.relay')).rows).toEqual([
    { snap: '5:5:', epoch: first.epoch + 1 },
  ])
  // Its session ends with its process: then nobody waits for the lease.
  await presence.close()
  let third: Term | undefined
  await until('the lead is free', async () => {
    third = await takeLead(database.pool, 'third', 60_000)
    return third !== undefined
  })
  expect(third?.vacancy).toBe('gone')
})

describe('a back-log', () => {
  const snapshot = async () =>
    (await database.pool.query('SELECT pg_current_snapshot()::text AS snap')).rows[0].snap as SnapshotText

  async function idsOfPages(reader: OutboxReader, lower: SnapshotText, upper: SnapshotText, pageRows: number) {
    const range = await reader.backLogRange(lower, upper, pageRows)
    const pages: number[][] = []
    for (let lastId = range.first - 1, page: Page; ; lastId = page.lastId) {
      page = await reader.backLogPage(lower, upper, range, lastId, pageRows)
      if (page.rows === 0) return { range, pages }
      pages.push([...page.topics.values()].flatMap((batch) => batch.ids))
    }
  }

  test.each([
    ['few rows of an old open transaction come first, without walking what was shipped since', 5, false],
    ['one huge late transaction is walked by id with the rest', 100, true],
  ])('%s', async (_name, lateRows, walked) => {
    const reader = await openOutboxReader(database.url, 'test')
    const late = await database.pool.connect()
    try {
      await late.query('BEGIN')
      await appendToOutbox(late, messages(randomUUID(), ...upTo(lateRows)))
      await append(randomUUID(), ...upTo(200))
      const lower = await snapshot()
      await append(randomUUID(), ...upTo(35))
      await appendToOutbox(late, messages(randomUUID(), 1))
      await append(randomUUID(), ...upTo(5))
      await late.query('COMMIT')
      const upper = await snapshot()
      await append(randomUUID(), ...upTo(10))
      const { range, pages } = await idsOfPages(reader, lower, upper, 10)
      const ids = pages.flat()
      const firstFresh = lateRows + 200 + 1
      expect(range).toEqual({ first: 1, firstFresh: walked ? 1 : firstFresh })
      // All of the window, none of what was shipped before or written after, in id order.
      expect(ids).toEqual([...upTo(lateRows), ...upTo(41).map((n) => firstFresh - 1 + n)])
      expect(Math.max(...pages.map((page) => page.length))).toBeLessThanOrEqual(10)
    } finally {
      await late.query('ROLLBACK')
      late.release()
      await reader.close()
    }
  })

  test('a window in which only late rows were committed has no fresh part', async () => {
    const reader = await openOutboxReader(database.url, 'test')
    const late = await database.pool.connect()
    try {
      await late.query('BEGIN')
      await appendToOutbox(late, messages(randomUUID(), 1, 2, 3))
      await append(randomUUID(), 1)
      const lower = await snapshot()
      await late.query('COMMIT')
      const { pages } = await idsOfPages(reader, lower, await snapshot(), 2)
      expect(pages).toEqual([[1, 2], [3]])
      const upper = await snapshot()
      expect((await reader.backLogRange(upper, upper, 2)).first).toBe(Number.POSITIVE_INFINITY)
    } finally {
      await late.query('ROLLBACK')
      late.release()
      await reader.close()
    }
  })

  test('a page is read by walking ids, never by sorting the window', async () => {
    await append(randomUUID(), ...upTo(5_000))
    await database.pool.query('ANALYZE outbox.message')
    const lower = await snapshot()
    await append(randomUUID(), ...upTo(5_000))
    const plan = await withTransaction(database.pool, async (client) => {
      for (const setting of READER_SETTINGS.split(';')) await client.query(setting.replace('SET ', 'SET LOCAL '))
      const { rows } = await client.query<{ 'QUERY PLAN': string }>(
        `EXPLAIN ${backLogPageSql(lower, await snapshot(), 5_000, 500)}`,
      )
      return rows.map((row) => row['QUERY PLAN']).join('\n')
    })
    expect(plan).toMatch(/Index Scan using message_\d+_pkey/)
    expect(plan).not.toMatch(/->\s+(Sort|Incremental Sort)|Seq Scan|xid_idx/)
  })
})

describe('after a restore', () => {
  const shipped = randomUUID()
  const pending = randomUUID()

  beforeEach(async () => {
    await append(shipped, 1, 2)
    const relay = startRelay()
    await until('two are shipped', async () => published().length === 2 && (await nothingWaits()))
    await relay.stop()
    publisher.published.length = 0
    // As a dump restored into a young cluster: the same rows and position, transaction ids of the future.
    await append(pending, 1, 2)
    await database.pool.query(
      `UPDATE outbox.relay SET system_identifier = 1, snap = '3000000000:3000000000:';
       UPDATE outbox.message SET xid = CASE WHEN aggregate_id = '${shipped}' THEN '2999999999' ELSE '3000000007' END::xid8`,
    )
    await expect(startRelay().finished).rejects.toMatchObject({ code: 'ERR_OUTBOX_DATABASE_CHANGED' })
  })

  test.each([
    ['pending' as const, [`${pending}@1`, `${pending}@2`]],
    ['everything' as const, [`${shipped}@1`, `${shipped}@2`, `${pending}@1`, `${pending}@2`]],
    ['nothing' as const, []],
  ])('re-anchored to send %s, the relay runs again and sends just that', async (resend, expected) => {
    expect(await reanchorRelay(database.pool, { resend })).toBe(expected.length)
    startRelay()
    const next = randomUUID()
    await append(next, 1)
    await until('the next one is shipped', async () => published().includes(`${next}@1`) && (await nothingWaits()))
    expect(published()).toEqual([...expected, `${next}@1`])
  })
})

test('a page skewed to one partition is cut into sends the broker takes', () => {
  const record = (partition: number, bytes: number) => ({ partition, body: Buffer.alloc(bytes - 20), timestampMs: 0 })
  const limits = { sendBytes: 1_000, partitionBytes: 400 }
  const cut = (...records: ReturnType<typeof record>[]) => [...chunksOf(records, limits)]
  expect(cut()).toEqual([])
  expect(cut(record(0, 200), record(1, 400), record(0, 200))).toEqual([[0, 3]])
  expect(cut(record(0, 200), record(0, 200), record(0, 200))).toEqual([
    [0, 2],
    [2, 3],
  ])
  expect(cut(record(0, 400), record(1, 400), record(2, 400))).toEqual([
    [0, 2],
    [2, 3],
  ])
  // One that fits nowhere still goes, alone: the broker decides.
  expect(cut(record(0, 100), record(0, 5_000), record(0, 100))).toEqual([
    [0, 1],
    [1, 2],
    [2, 3],
  ])
})

test('the README names every error code and every metric', async () => {
  startRelay()
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8')
  const sources = await readFile(new URL('../../src/errors.ts', import.meta.url), 'utf8')
  const codes = sources.match(/ERR_OUTBOX_[A-Z_]+/g) ?? []
  const names = (await metrics.text()).match(/(?<=# HELP )rollcall_outbox_\S+/g) ?? []
  expect(codes.length).toBeGreaterThan(6)
  expect(names.length).toBeGreaterThan(8)
  for (const name of [...codes, ...names]) expect(readme).toContain(`\`${name}\``)
})
