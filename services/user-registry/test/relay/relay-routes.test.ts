import { randomUUID } from 'node:crypto'
import { createTestDatabase, type TestDatabase } from '@rollcall/database/testing'
import { type App, createApp } from '@rollcall/http'
import { createMetrics } from '@rollcall/observability'
import { silentLogger } from '@rollcall/observability/testing'
import { appendToOutbox } from '@rollcall/outbox'
import { LOCAL_PRINCIPAL } from '../../src/principal.js'
import { registryMigrations } from '../../src/registry-migrations.js'
import { reanchorCommand } from '../../src/relay/reanchor-command.js'
import { addRelayRoutes, RELAY_PROBLEMS } from '../../src/relay/relay-routes.js'

let database: TestDatabase
let app: App
const user = randomUUID()

beforeEach(async () => {
  database = await createTestDatabase({ migrations: registryMigrations })
  app = await createApp({
    service: 'relay',
    version: '0',
    logger: silentLogger,
    metrics: createMetrics('test'),
    problems: RELAY_PROBLEMS,
  })
  const status = { instance: 'a', role: 'leader', epoch: 1, shipped: 0, error: undefined, sinceProgressMs: 0 } as const
  addRelayRoutes(app, { pool: database.pool, relay: { status: () => status }, principalOf: () => LOCAL_PRINCIPAL })
  await appendToOutbox(
    database.pool,
    [1, 2, 3].map((version) => ({ aggregateId: user, version, topic: 't', record: Buffer.from('x') })),
  )
})

afterEach(async () => {
  await app.close()
  await database.close()
})

const post = async (payload: object) => {
  const answer = await app.inject({ method: 'POST', url: '/admin/republish', payload })
  return { status: answer.statusCode, body: answer.json() }
}
const audited = async () =>
  (await database.pool.query('SELECT action, target_type, target_id, after FROM audit.entry')).rows
const jobs = async () => Number((await database.pool.query('SELECT count(*) AS n FROM outbox.republish')).rows[0].n)

test('a republish is asked for and audited in one transaction, and can be followed', async () => {
  const { status, body } = await post({ userId: user, reason: 'incident 17' })
  expect([status, body.messages]).toEqual([202, 3])
  expect(await audited()).toMatchObject([
    { action: 'outbox.republish', target_type: 'user', target_id: user, after: { reason: 'incident 17', messages: 3 } },
  ])
  const followed = await app.inject({ url: `/admin/republish/${body.id}` })
  expect(followed.json()).toMatchObject({ aggregateId: user, sent: 0, finishedAt: null })
})

test('a dry run counts, and does nothing', async () => {
  expect(await post({ since: '2020-01-01T00:00:00Z', reason: 'look', dryRun: true })).toMatchObject({
    status: 200,
    body: { id: null, messages: 3 },
  })
  expect([await jobs(), await audited()]).toEqual([0, []])
})

test.each([
  ['neither user nor time', { reason: 'x' }],
  ['both', { userId: user, since: '2020-01-01T00:00:00Z', reason: 'x' }],
  ['no reason', { userId: user }],
  ['a time to come', { since: '2999-01-01T00:00:00Z', reason: 'x' }],
])('%s is refused', async (_name, payload) => {
  expect(await post(payload)).toMatchObject({ status: 400, body: { code: 'ERR_REQUEST_INVALID' } })
  expect(await jobs()).toBe(0)
})

test('an unknown republish is named', async () => {
  const answer = await app.inject({ url: '/admin/republish/4711' })
  expect([answer.statusCode, answer.json().code]).toEqual([404, 'ERR_REPUBLISH_NOT_FOUND'])
})

test('the relay is re-anchored by a command of its process, which says what will be sent', async () => {
  expect(reanchorCommand([])).toBeUndefined()
  expect(reanchorCommand(['--process=relay.log'])).toBeUndefined()
  expect(() => reanchorCommand(['reancor'])).toThrow('expected reanchor')
  expect(() => reanchorCommand(['reanchor'])).toThrow('--resend pending|everything|nothing')
  expect(() => reanchorCommand(['reanchor', '--resend', 'some'])).toThrow('--resend pending|everything|nothing')
  const reanchor = reanchorCommand(['reanchor', '--resend', 'everything'])
  expect(await reanchor?.(database.pool)).toContain('send 3 messages again')
})
