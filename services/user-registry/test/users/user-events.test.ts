import { createTestDatabase, type TestDatabase } from '@rollcall/database/testing'
import { testEndpoints } from '@rollcall/dev'
import { createCodec, userLifecycle } from '@rollcall/events'
import type { App } from '@rollcall/http'
import { decodeRecordBody } from '@rollcall/kafka'
import { createMetrics } from '@rollcall/observability'
import { silentLogger } from '@rollcall/observability/testing'
import { uuidv7 } from 'uuidv7'
import { createRegistryApp } from '../../src/registry-app.js'
import { registryMigrations } from '../../src/registry-migrations.js'

const codec = createCodec(userLifecycle, { schemaRegistryUrl: testEndpoints().schemaRegistry, register: true })
let database: TestDatabase
let app: App
let id: string

beforeAll(async () => {
  await codec.ready()
  database = await createTestDatabase({ migrations: registryMigrations })
  app = await createRegistryApp({
    pool: database.pool,
    codec,
    wakeUp: { poke: () => {} },
    logger: silentLogger,
    metrics: createMetrics('test'),
    principalOf: (request) => ({
      tenantId: String(request.headers['x-tenant'] ?? 'ours'),
      actor: { type: 'service', id: 'test' },
    }),
  })
})
afterAll(async () => {
  await app?.close()
  await database?.close()
})

beforeEach(async () => {
  const payload = { userName: uuidv7(), emails: [{ value: `${uuidv7()}@example.org` }] }
  id = (await app.inject({ method: 'POST', url: '/v1/users', payload })).json().id
  for (const given of ['Ada', 'Augusta', 'Ada Augusta'])
    await app.inject({ method: 'PATCH', url: `/v1/users/${id}`, payload: { name: { given } } })
})

const events = (query: string, headers: Record<string, string> = {}) =>
  app.inject({ url: `/v1/users/${id}/events?${query}`, headers })

test('events come with the very bytes of their records, and no others', async () => {
  const answer = await events('from=2&to=3')
  expect(answer.statusCode).toBe(200)
  const { rows } = await database.pool.query<{ record: Buffer }>(
    'SELECT record FROM outbox.message WHERE aggregate_id = $1 AND version IN (2, 3) ORDER BY version',
    [id],
  )
  const values = rows.map(({ record }) => decodeRecordBody(record).value as Buffer)
  const decoded = await Promise.all(values.map((value) => codec.decode(value)))
  expect(answer.json()).toEqual({
    items: decoded.map(({ version, eventId, type, occurredAt }, index) => ({
      version,
      eventId,
      type,
      occurredAt: occurredAt.toISOString(),
      value: values[index]?.toString('base64'),
    })),
  })
})

test('what retention dropped, and what there is not yet, is said to be gone', async () => {
  await database.pool.query('DELETE FROM outbox.message WHERE aggregate_id = $1 AND version <= 2', [id])
  for (const [query, version] of [
    ['from=2&to=3', 2],
    ['from=4&to=5', 5],
  ] as const) {
    const answer = await events(query)
    expect(answer.statusCode).toBe(410)
    expect(answer.json()).toMatchObject({
      code: 'ERR_USER_EVENTS_GONE',
      detail: expect.stringContaining(`no version ${version} `),
    })
  }
  expect((await events('from=3&to=4')).json().items).toHaveLength(2)
})

test('a user of another tenant is not found, a deleted one is', async () => {
  expect((await events('from=1&to=1', { 'x-tenant': 'theirs' })).json()).toMatchObject({ code: 'ERR_USER_NOT_FOUND' })
  await app.inject({ method: 'DELETE', url: `/v1/users/${id}` })
  expect((await events('from=5&to=5')).json()).toMatchObject({ items: [{ version: 5, type: 'UserDeleted' }] })
})

test.each(['', 'from=2&to=1', 'from=0&to=1', 'from=1&to=501', 'from=1&to=x'])('"%s" is no range', async (query) => {
  const answer = await events(query)
  expect(answer.statusCode).toBe(400)
  expect(answer.json()).toMatchObject({ code: 'ERR_REQUEST_INVALID' })
})
