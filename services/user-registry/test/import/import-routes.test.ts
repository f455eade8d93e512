import { request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { createTestDatabase, type TestDatabase } from '@rollcall/database/testing'
import { testEndpoints } from '@rollcall/dev'
import { createCodec, userLifecycle } from '@rollcall/events'
import type { App } from '@rollcall/http'
import { createMetrics } from '@rollcall/observability'
import { type LogSink, logSink } from '@rollcall/observability/testing'
import { createRegistryApp } from '../../src/registry-app.js'
import { registryMigrations } from '../../src/registry-migrations.js'

const codec = createCodec(userLifecycle, { schemaRegistryUrl: testEndpoints().schemaRegistry, register: true })

let database: TestDatabase
let app: App
let log: LogSink
let address: string

beforeAll(async () => {
  await codec.ready()
  database = await createTestDatabase({ migrations: registryMigrations, max: 4 })
  log = logSink()
  app = await createRegistryApp({
    pool: database.pool,
    codec,
    wakeUp: { poke: () => {} },
    logger: log.logger,
    metrics: createMetrics('test'),
  })
  address = await app.listen({ host: '127.0.0.1', port: 0 })
})

afterAll(async () => {
  app.server.closeAllConnections()
  await app.close()
  await database.close()
})

const counted = async (prefix: string) =>
  Number(
    (
      await database.pool.query(
        `SELECT (SELECT count(*) FROM user_account WHERE user_name LIKE $1 || '%') AS users,
           (SELECT count(*) FROM user_email WHERE email_key LIKE $1 || '%') AS emails,
           (SELECT count(*) FROM outbox.message m JOIN user_account u ON u.id = m.aggregate_id WHERE user_name LIKE $1 || '%') AS messages,
           (SELECT count(*) FROM audit.entry e JOIN user_account u ON u.id::text = e.target_id WHERE user_name LIKE $1 || '%') AS entries`,
        [prefix],
      )
    ).rows.map(({ users, emails, messages, entries }) => {
      expect([emails, messages, entries]).toEqual([users, users, users])
      return users
    })[0],
  )

const line = (prefix: string, at: number) =>
  `${JSON.stringify({ userName: `${prefix}${at}`, emails: [{ value: `${prefix}${at}@example.com` }] })}\n`

const post = (headers: Record<string, string> = {}) =>
  request(`${address}/v1/users/import`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson', ...headers },
    agent: false,
  })

test('answers come while the input is still being sent', async () => {
  const sending = post()
  sending.write(line('talk', 1))
  const first = await new Promise<string>((resolve, reject) => {
    sending.on('error', reject)
    sending.on('response', (response) => response.once('data', (chunk) => resolve(String(chunk))))
  })
  expect(JSON.parse(first)).toMatchObject({ line: 1, status: 'created', version: 1 })
  sending.end()
})

test('a client that goes away ends its import; what was answered is kept whole, and the service goes on', async () => {
  const sending = post()
  sending.on('error', () => {})
  let sent = 0
  for (; sent < 300; sent++) sending.write(line('gone', sent))
  await new Promise((resolve) => sending.on('response', (response) => response.once('data', resolve)))
  sending.write('{"userName":"half a li')
  sending.destroy()
  while (database.pool.idleCount < database.pool.totalCount) await delay(10)
  const kept = await counted('gone')
  expect(kept).toBeGreaterThan(0)
  expect(kept).toBeLessThanOrEqual(300)
  expect((await fetch(`${address}/v1/users?limit=1`)).status).toBe(200)
  expect(log.text()).not.toMatch(/"level":"(?:error|fatal)"/)
})

test('a client that never reads its answers is not read for ever', async () => {
  const sending = post()
  sending.on('error', () => {})
  sending.on('response', (response) => response.pause())
  let accepted = 0
  // Bad lines are answered at once, hence the fastest way to fill the way back.
  const bad = Buffer.from(`${'{"userName":7}\n'.repeat(5_000)}`)
  while (accepted < 2_000_000) {
    const open = await Promise.race([
      new Promise<boolean>((resolve) => sending.write(bad, () => resolve(true))),
      delay(700, false),
    ])
    if (!open) break
    accepted += 5_000
  }
  sending.destroy()
  expect(accepted).toBeLessThan(2_000_000)
})

test.each([
  [{ 'import-id': '6f1c1b2e-8a53-4f0e-9d55-0a4c3f7d6b1a' }, 'Import-Id'],
  [{ 'import-first-line': '0' }, 'Import-First-Line'],
  [{ 'idempotency-key': 'k' }, 'Idempotency-Key'],
])('the headers %j are refused before a line is read', async (headers, named) => {
  const answer = await fetch(`${address}/v1/users/import`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson', ...headers },
    body: line('never', 1),
  })
  expect(await answer.json()).toMatchObject({
    status: 400,
    code: 'ERR_IMPORT_HEADER_INVALID',
    detail: expect.stringContaining(named),
  })
  expect(await counted('never')).toBe(0)
})
