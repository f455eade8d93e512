import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { createPool, ensureDatabase, migrate, type Pool } from '@rollcall/database'
import { findFreePort, type PostgresServer, startPostgres, testEndpoints } from '@rollcall/dev'
import { createKafka, encodeRecordBody } from '@rollcall/kafka'
import { createTestTopic, readAll } from '@rollcall/kafka/testing'
import { createMetrics } from '@rollcall/observability'
import { silentLogger } from '@rollcall/observability/testing'
import { appendToOutbox } from '../../src/append.js'
import { outboxMigrations } from '../../src/outbox-migrations.js'
import { createRelay } from '../../src/relay/create-relay.js'
import { reanchorRelay } from '../../src/relay/reanchor-relay.js'
import { relayStatus } from '../../src/relay-status.js'

// Real servers and real Kafka: what a restore leaves behind is not to be imitated by an UPDATE.
const kafka = createKafka(
  { KAFKA_BROKERS: testEndpoints().kafka.split(',') },
  { logger: silentLogger, metrics: createMetrics('test') },
)
const user = randomUUID()
let folder: string
let server: PostgresServer | undefined
let pool: Pool | undefined
let topic: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'restored-'))
  topic = await createTestTopic(kafka, { partitions: 2 })
})

afterEach(async () => {
  await stopServer()
  await rm(folder, { recursive: true, force: true })
})

afterAll(() => kafka.close())

const urlOf = (database: string) => `${server?.url.replace(/\/[^/]*$/, '')}/${database}`

async function startServer(data: string): Promise<void> {
  server = await startPostgres({ dataDir: join(folder, data), port: await findFreePort(), fsync: false })
  await use('outbox')
}

async function closePool(): Promise<void> {
  await pool?.end()
  pool = undefined
}

async function use(database: string): Promise<void> {
  await closePool()
  await ensureDatabase(urlOf(database))
  pool = createPool({ url: urlOf(database), max: 4, applicationName: 'test' }, { logger: silentLogger })
  await migrate(pool, [outboxMigrations])
}

async function stopServer(): Promise<void> {
  await closePool()
  await server?.stop()
  server = undefined
}

const append = (...versions: number[]) =>
  appendToOutbox(
    pool as Pool,
    versions.map((version) => ({
      aggregateId: user,
      version,
      topic,
      record: encodeRecordBody({ key: user, value: randomUUID(), headers: { ce_sequence: String(version) } }),
    })),
  )

/** Runs a relay until everything is shipped, or it stops by itself: then it rejects. */
async function ship(database = 'outbox'): Promise<void> {
  const relay = createRelay({
    databaseUrl: urlOf(database),
    kafka,
    logger: silentLogger,
    metrics: createMetrics('test'),
    options: { fallbackMs: 10, checkpointMs: 5 },
  })
  relay.start()
  let ended = false
  relay.finished.finally(() => (ended = true)).catch(() => {})
  try {
    const deadline = Date.now() + 30_000
    while (!ended && !(relay.status().role === 'leader' && (await relayStatus(pool as Pool)).waiting === 0)) {
      if (Date.now() > deadline) throw new Error('not shipped in 30 s')
      await delay(10)
    }
  } finally {
    await relay.stop()
  }
  await relay.finished
}

const versions = async () => (await readAll(kafka, topic)).map(({ headers }) => Number(headers.ce_sequence))
const refusal = { code: 'ERR_OUTBOX_DATABASE_CHANGED', message: expect.stringContaining('reanchor --resend') }

/** Three changes, a backup of the stopped server, two more changes if asked for, and the backup in place of it all. */
async function goBackToBackup(change: boolean): Promise<void> {
  await startServer('data')
  await append(1, 2, 3)
  await ship()
  const { rows } = await (pool as Pool).query<{ data_directory: string }>('SHOW data_directory')
  const cluster = rows[0]?.data_directory as string
  await stopServer()
  // With owners and modes, which Postgres insists on.
  await promisify(execFile)('cp', ['-a', cluster, `${cluster}.backup`])
  await startServer('data')
  if (change) {
    await append(4, 5)
    await ship()
  }
  await stopServer()
  await rm(cluster, { recursive: true })
  await rename(`${cluster}.backup`, cluster)
  await startServer('data')
}

test('a server set back to a backup from before what the topic holds is refused, and re-anchored it goes on', async () => {
  await goBackToBackup(true)
  await append(4)
  await expect(ship()).rejects.toMatchObject({
    ...refusal,
    message: expect.stringContaining('holds 2 messages that this relay'),
  })
  expect(await versions()).toEqual([1, 2, 3, 4, 5])
  expect(await reanchorRelay(pool as Pool, { resend: 'pending' })).toBe(1)
  await ship()
  expect(await versions()).toEqual([1, 2, 3, 4, 5, 4])
}, 180_000)

test('a server set back to a backup after which nothing was shipped goes on as if nothing had been', async () => {
  await goBackToBackup(false)
  await append(4)
  await ship()
  expect(await versions()).toEqual([1, 2, 3, 4])
}, 180_000)

test('a copy of the database, and a database made anew under the same name, are refused', async () => {
  await startServer('data')
  await append(1, 2, 3)
  await ship()
  await closePool()
  const admin = createPool({ url: urlOf('postgres'), max: 1, applicationName: 'test' }, { logger: silentLogger })
  await admin.query('CREATE DATABASE copied TEMPLATE outbox')
  await use('copied')
  await append(4)
  await expect(ship('copied')).rejects.toMatchObject(refusal)
  await closePool()
  await admin.query('DROP DATABASE outbox')
  await admin.end()
  await use('outbox')
  await append(1)
  await expect(ship()).rejects.toMatchObject({
    ...refusal,
    message: expect.stringContaining('holds records already'),
  })
  expect(await versions()).toEqual([1, 2, 3])
  // Whoever says so, means it.
  expect(await reanchorRelay(pool as Pool, { resend: 'pending' })).toBe(1)
  await ship()
  expect(await versions()).toEqual([1, 2, 3, 1])
}, 180_000)
