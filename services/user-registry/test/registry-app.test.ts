import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { createTestDatabase, type TestDatabase } from '@rollcall/database/testing'
import { testEndpoints } from '@rollcall/dev'
import { createCodec, userLifecycle } from '@rollcall/events'
import type { App } from '@rollcall/http'
import { decodeRecordBody } from '@rollcall/kafka'
import { createMetrics } from '@rollcall/observability'
import { type LogSink, logSink } from '@rollcall/observability/testing'
import { uuidv7 } from 'uuidv7'
import { forgetAnswers } from '../src/idempotency/forget-answers.js'
import { importUsers } from '../src/import/import-users.js'
import { PROBLEMS } from '../src/problems.js'
import { createRegistryApp } from '../src/registry-app.js'
import { registryMigrations } from '../src/registry-migrations.js'

const CANARY = 'zanarykq'
const codec = createCodec(userLifecycle, { schemaRegistryUrl: testEndpoints().schemaRegistry, register: true })

let database: TestDatabase
let app: App
let log: LogSink
let now: Date
let pokes: number

beforeAll(async () => {
  await codec.ready()
  database = await createTestDatabase({ migrations: registryMigrations, max: 20 })
})

afterAll(() => database.close())

beforeEach(async () => {
  now = new Date('2026-11-24T10:00:00.000Z')
  pokes = 0
  log = logSink()
  app = await appWith(codec)
  tenant = randomUUID()
})
let tenant: string

const appWith = (events: typeof codec) =>
  createRegistryApp({
    pool: database.pool,
    codec: events,
    wakeUp: { poke: () => void pokes++ },
    logger: log.logger,
    metrics: createMetrics('test'),
    gracePeriodMs: 86_400_000,
    now: () => now,
    // Each test has a tenant of its own.
    principalOf: (request) => ({
      tenantId: String(request.headers['x-tenant'] ?? tenant),
      actor: { type: 'service', id: 'test' },
    }),
  })

afterEach(() => app.close())

type Headers = Record<string, string>
const send = (method: 'POST' | 'PATCH' | 'DELETE' | 'GET', url: string, body?: unknown, headers: Headers = {}) =>
  app.inject({
    method,
    url,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  })

const person = (userName = `user-${randomUUID().slice(0, 8)}`) => ({
  userName,
  emails: [{ value: `${userName}@example.com` }],
  name: { given: CANARY },
})
const create = async (body: unknown = person()) =>
  (await send('POST', '/v1/users', body)).json() as { id: string; userName: string; version: number }

/** What one user left behind, oldest first. */
async function traces(id: string) {
  const audit = await database.pool.query(
    'SELECT action, target_version::int AS version, outcome, before, after, correlation_id FROM audit.entry WHERE target_id = $1 ORDER BY id',
    [id],
  )
  const outbox = await database.pool.query<{ version: number; record: Buffer }>(
    'SELECT version::int, record FROM outbox.message WHERE aggregate_id = $1 ORDER BY id',
    [id],
  )
  const events = await Promise.all(
    outbox.rows.map(async ({ record }) => {
      const { key, value, headers } = decodeRecordBody(record)
      return {
        key: String(key),
        headers: Object.fromEntries(Object.entries(headers).map(([name, at]) => [name, String(at)])),
        event: await codec.decode(value as Buffer),
      }
    }),
  )
  return { audit: audit.rows, events }
}

test('a new user is answered with its version, and leaves one event and one audit entry that say the same', async () => {
  const answer = await send('POST', '/v1/users', person('Ada'), { 'x-correlation-id': 'call-1' })
  expect(answer.statusCode).toBe(201)
  const user = answer.json()
  expect(answer.headers).toMatchObject({
    etag: '"1"',
    'rollcall-version': `${user.id}@1`,
    location: `/v1/users/${user.id}`,
  })
  expect(user).toMatchObject({
    userName: 'Ada',
    status: 'active',
    version: 1,
    emails: [{ value: 'Ada@example.com', primary: true }],
  })
  const { audit, events } = await traces(user.id)
  expect(audit).toEqual([
    { action: 'user.create', version: 1, outcome: 'done', before: null, after: user, correlation_id: 'call-1' },
  ])
  expect(events).toHaveLength(1)
  expect(events[0]).toMatchObject({
    key: user.id,
    headers: {
      ce_type: 'io.rollcall.users.UserCreated',
      ce_subject: user.id,
      ce_sequence: '1',
      ce_correlationid: 'call-1',
    },
    event: {
      type: 'UserCreated',
      userId: user.id,
      version: 1,
      actor: { type: 'service', id: 'test' },
      user: { userName: 'Ada' },
    },
  })
  expect(pokes).toBe(1)
})

test('a life leaves every version, in order, with what changed', async () => {
  const { id } = await create()
  await send('PATCH', `/v1/users/${id}`, { phone: '+4912345678', name: { family: 'King' } })
  await send('POST', `/v1/users/${id}/suspend`)
  await send('DELETE', `/v1/users/${id}`)
  await send('POST', `/v1/users/${id}/restore`)
  await send('POST', `/v1/users/${id}/reactivate`)
  const { events, audit } = await traces(id)
  expect(events.map(({ event }) => [event.version, event.type, event.user.status])).toEqual([
    [1, 'UserCreated', 'active'],
    [2, 'UserUpdated', 'active'],
    [3, 'UserSuspended', 'suspended'],
    [4, 'UserDeleted', 'deleted'],
    [5, 'UserRestored', 'suspended'],
    [6, 'UserReactivated', 'active'],
  ])
  expect([...(events[1]?.event.changed ?? [])].sort()).toEqual(['name', 'phone'])
  expect(audit.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 6])
  expect(audit[1]).toMatchObject({
    before: { name: { given: CANARY } },
    after: { name: { given: CANARY, family: 'King' }, phone: '+4912345678' },
  })
  expect(audit[2]).toMatchObject({ before: { status: 'active' }, after: { status: 'suspended' } })
  expect(Object.keys(audit[2]?.after ?? {})).toEqual(['status'])
  const history = (await send('GET', `/v1/users/${id}/history`)).json()
  expect(history.items.map(({ version, type }: { version: number; type: string }) => [version, type])).toEqual(
    events.map(({ event }) => [event.version, event.type]),
  )
})

test('a patch that changes nothing makes no version and no event', async () => {
  const user = await create()
  const answer = await send('PATCH', `/v1/users/${user.id}`, { userName: user.userName })
  expect(answer.json()).toMatchObject({ version: 1 })
  expect((await traces(user.id)).events).toHaveLength(1)
})

test('null removes a member, arrays are replaced whole, and the rules of a creation hold', async () => {
  const { id } = await create({ ...person(), phone: '+4912345678' })
  expect((await send('PATCH', `/v1/users/${id}`, { phone: null })).json()).not.toHaveProperty('phone')
  const mails = [{ value: `a-${id}@example.com` }, { value: `b-${id}@example.com`, primary: true }]
  expect(
    (await send('PATCH', `/v1/users/${id}`, { emails: mails }))
      .json()
      .emails.map(({ primary }: { primary: boolean }) => primary),
  ).toEqual([false, true])
  const refused = await send('PATCH', `/v1/users/${id}`, { userName: null, shoeSize: 4, locale: 'not a locale' })
  expect(refused.statusCode).toBe(400)
  expect(
    refused
      .json()
      .errors.map(({ pointer }: { pointer: string }) => pointer)
      .sort(),
  ).toEqual(['/locale', '/shoeSize', '/userName'])
})

test('names and addresses are unique per tenant whatever their case, and free in another tenant', async () => {
  await create({ userName: 'Straße', emails: [{ value: 'S@example.com' }] })
  expect((await send('POST', '/v1/users', { userName: 'STRASSE' })).json()).toMatchObject({
    code: 'ERR_USER_NAME_TAKEN',
    status: 409,
  })
  expect(
    (await send('POST', '/v1/users', { userName: 'other', emails: [{ value: 's@EXAMPLE.com' }] })).json(),
  ).toMatchObject({ code: 'ERR_USER_EMAIL_TAKEN' })
  expect((await send('POST', '/v1/users', { userName: 'straße' }, { 'x-tenant': randomUUID() })).statusCode).toBe(201)
})

test('of fifty who want one address at once exactly one gets it, and the others are told', async () => {
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, at) =>
      send('POST', '/v1/users', {
        userName: `u${at}`,
        emails: [{ value: 'one@example.com' }, { value: `own${at}@example.com` }],
      }),
    ),
  )
  const codes = answers.map(({ statusCode }) => statusCode)
  expect(codes.filter((code) => code === 201)).toHaveLength(1)
  expect(codes.filter((code) => code === 409)).toHaveLength(49)
})

test('of many changes of one user at once none is lost', async () => {
  const { id } = await create()
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, at) => send('PATCH', `/v1/users/${id}`, { attributes: { [`a${at}`]: at } })),
  )
  expect(answers.map(({ statusCode }) => statusCode)).toEqual(Array.from({ length: 12 }, () => 200))
  const user = (await send('GET', `/v1/users/${id}`)).json()
  expect(user).toMatchObject({ version: 13 })
  expect(Object.keys(user.attributes)).toHaveLength(12)
})

test('If-Match holds a change to the version it was made for', async () => {
  const { id } = await create()
  expect((await send('PATCH', `/v1/users/${id}`, { locale: 'de' }, { 'if-match': '"1"' })).statusCode).toBe(200)
  expect((await send('PATCH', `/v1/users/${id}`, { locale: 'fr' }, { 'if-match': '"1"' })).json()).toMatchObject({
    status: 412,
    code: 'ERR_PRECONDITION_FAILED',
  })
  expect((await send('PATCH', `/v1/users/${id}`, { locale: 'fr' }, { 'if-match': '*' })).statusCode).toBe(200)
  expect((await send('PATCH', `/v1/users/${id}`, {}, { 'if-match': 'nonsense' })).json()).toMatchObject({
    code: 'ERR_IF_MATCH_INVALID',
  })
  expect((await send('GET', `/v1/users/${id}`, undefined, { 'if-none-match': '"3"' })).statusCode).toBe(304)
})

test('acts the status does not allow are refused with the acts it does', async () => {
  const { id } = await create()
  const again = await send('POST', `/v1/users/${id}/reactivate`)
  expect(again.json()).toMatchObject({
    status: 409,
    code: 'ERR_USER_STATUS_CONFLICT',
    detail: expect.stringContaining('suspend'),
  })
  await send('DELETE', `/v1/users/${id}`)
  expect((await send('PATCH', `/v1/users/${id}`, { locale: 'de' })).statusCode).toBe(409)
  now = new Date(now.getTime() + 86_400_001)
  expect((await send('POST', `/v1/users/${id}/restore`)).json()).toMatchObject({ code: 'ERR_USER_GRACE_ENDED' })
})

test('the same Idempotency-Key gets the same answer, once done, for success and refusal alike', async () => {
  const key = { 'idempotency-key': randomUUID() }
  const body = person()
  const first = await send('POST', '/v1/users', body, key)
  const again = await send('POST', '/v1/users', body, key)
  expect([again.statusCode, again.json(), again.headers['idempotency-replayed']]).toEqual([201, first.json(), 'true'])
  expect((await send('POST', '/v1/users', person(), key)).json()).toMatchObject({
    status: 422,
    code: 'ERR_IDEMPOTENCY_KEY_REUSED',
  })
  const refusedKey = { 'idempotency-key': randomUUID() }
  const refused = await send('POST', '/v1/users', { ...body, emails: [] }, refusedKey)
  expect(refused.statusCode).toBe(409)
  const refusedAgain = await send('POST', '/v1/users', { ...body, emails: [] }, refusedKey)
  expect([refusedAgain.statusCode, refusedAgain.json().code]).toEqual([409, refused.json().code])
  expect(refused.headers).not.toHaveProperty('idempotency-replayed')
  expect(refusedAgain.headers).toHaveProperty('idempotency-replayed', 'true')
})

test('"not now" is no answer to keep: the same Idempotency-Key succeeds once it can', async () => {
  const late = createCodec(userLifecycle, { schemaRegistryUrl: testEndpoints().schemaRegistry, register: true })
  const starting = await appWith(late)
  const request = {
    method: 'POST' as const,
    url: '/v1/users',
    headers: { 'idempotency-key': randomUUID() },
    payload: person(),
  }
  expect((await starting.inject(request)).json()).toMatchObject({ status: 503, code: 'ERR_SCHEMA_NOT_REGISTERED' })
  await late.ready()
  expect((await starting.inject(request)).statusCode).toBe(201)
  await starting.close()
})

test('twenty twins with one Idempotency-Key make one user', async () => {
  const key = { 'idempotency-key': randomUUID() }
  const body = person()
  const answers = await Promise.all(Array.from({ length: 20 }, () => send('POST', '/v1/users', body, key)))
  const made = answers.filter(({ statusCode }) => statusCode === 201)
  expect(new Set(made.map((answer) => answer.json().id)).size).toBe(1)
  expect(answers.every(({ statusCode }) => statusCode === 201 || statusCode === 409)).toBe(true)
  expect((await traces(made[0]?.json().id)).events).toHaveLength(1)
})

test('answers are forgotten when their time is over, however many there are', async () => {
  const key = { 'idempotency-key': randomUUID() }
  const body = person()
  await send('POST', '/v1/users', body, key)
  for (let at = 0; at < 4; at++) await send('POST', '/v1/users', person(), { 'idempotency-key': randomUUID() })
  expect(await forgetAnswers(database.pool, 3_600_000, 2)).toBe(0)
  expect(await forgetAnswers(database.pool, 0, 2)).toBeGreaterThanOrEqual(5)
  expect((await send('POST', '/v1/users', body, key)).json()).toMatchObject({ code: 'ERR_USER_NAME_TAKEN' })
})

test('pages show every user once, though users come and change meanwhile', async () => {
  const ids = new Set<string>()
  for (let at = 0; at < 25; at++) {
    now = new Date(now.getTime() + 1_000)
    ids.add((await create()).id)
  }
  const seen: string[] = []
  let cursor = ''
  do {
    const { items, nextCursor } = (await send('GET', `/v1/users?limit=4&sort=createdAt${cursor}`)).json()
    seen.push(...items.map(({ id }: { id: string }) => id))
    await send('PATCH', `/v1/users/${[...ids][seen.length % 25]}`, { locale: 'fr' })
    cursor = nextCursor === null ? '' : `&cursor=${nextCursor}`
  } while (cursor !== '')
  expect(seen).toEqual([...ids])
  const other = (await send('GET', '/v1/users?limit=4&sort=createdAt')).json().nextCursor
  expect((await send('GET', `/v1/users?limit=4&sort=-userName&cursor=${other}`)).json()).toMatchObject({
    code: 'ERR_CURSOR_INVALID',
  })
})

test('a list filters by status, name, address and prefix', async () => {
  const ada = await create(person('ada.l'))
  const bob = await create(person('Bob'))
  await send('POST', `/v1/users/${bob.id}/suspend`)
  const names = async (query: string) =>
    (await send('GET', `/v1/users?${query}`)).json().items.map(({ userName }: { userName: string }) => userName)
  expect(await names('status=suspended')).toEqual(['Bob'])
  expect(await names('userName=BOB')).toEqual(['Bob'])
  expect(await names('email=ADA.L@example.com')).toEqual(['ada.l'])
  expect(await names('q=Ad')).toEqual(['ada.l'])
  expect(await names('sort=-userName')).toEqual(['Bob', 'ada.l'])
  expect(ada.version).toBe(1)
})

const importLines = (lines: readonly string[], headers: Headers = {}) =>
  app.inject({
    method: 'POST',
    url: '/v1/users/import',
    headers: { 'content-type': 'application/x-ndjson', ...headers },
    payload: Readable.from([`${lines.join('\n')}\n`]),
  })
const resultsOf = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

test('an import answers each line; a bad one never costs its neighbours', async () => {
  const good = person('import-1')
  const lines = [
    JSON.stringify(good),
    '{"userName": broken',
    JSON.stringify({ ...person('IMPORT-1'), emails: [] }),
    JSON.stringify({ userName: 'import-2', emails: good.emails }),
    JSON.stringify({ userName: 'import-3', shoeSize: 4 }),
    JSON.stringify(person('import-4')),
  ]
  const results = resultsOf((await importLines(lines)).payload)
  expect(results.slice(0, 6).map(({ line, status, error }) => [line, status, error?.code])).toEqual([
    [1, 'created', undefined],
    [2, 'failed', 'ERR_LINE_MALFORMED'],
    [3, 'failed', 'ERR_USER_NAME_TAKEN'],
    [4, 'failed', 'ERR_USER_EMAIL_TAKEN'],
    [5, 'failed', 'ERR_USER_INVALID'],
    [6, 'created', undefined],
  ])
  expect(results[6]).toEqual({ summary: { created: 2, unchanged: 0, failed: 4, nextLine: 7 } })
  const { events, audit } = await traces(results[0].id)
  expect([events.length, audit.length]).toEqual([1, 1])
})

test('an import sent again under its id makes nobody twice, and a changed line is refused', async () => {
  const importId = uuidv7()
  const lines = Array.from({ length: 700 }, (_, at) => JSON.stringify(person(`again-${at}`)))
  const first = resultsOf((await importLines(lines.slice(0, 450), { 'import-id': importId })).payload)
  const second = resultsOf((await importLines(lines, { 'import-id': importId })).payload)
  expect(second.at(-1).summary).toEqual({ created: 250, unchanged: 450, failed: 0, nextLine: 701 })
  expect(second.slice(0, 450).map(({ id }) => id)).toEqual(first.slice(0, 450).map(({ id }) => id))
  const tail = resultsOf(
    (await importLines(lines.slice(600), { 'import-id': importId, 'import-first-line': '601' })).payload,
  )
  expect(tail.at(-1).summary).toMatchObject({ unchanged: 100, created: 0 })
  const changed = resultsOf((await importLines([JSON.stringify(person('another'))], { 'import-id': importId })).payload)
  expect(changed[0]).toMatchObject({ status: 'failed', error: { code: 'ERR_IMPORT_LINE_CHANGED' } })
})

test('an import reads no faster than its answers are taken: memory does not grow with its length', async () => {
  const total = 100_000
  let read = 0
  async function* input() {
    for (; read < total; read++) yield Buffer.from(`{"userName":"x","shoeSize":${read}}\n`)
  }
  const answers = importUsers(input(), {
    sql: database.pool,
    codec,
    committed: () => {},
    now: () => now,
    newId: uuidv7,
    principal: { tenantId: tenant, actor: { type: 'service', id: 'test' } },
    correlationId: 'import',
  })
  let answered = 0
  let ahead = 0
  for await (const answer of answers) {
    answered += answer.filter((entry) => 'status' in entry).length
    ahead = Math.max(ahead, read - answered)
    // Time in which a greedy reader would run away.
    if (answered < 5_000) await delay(5)
  }
  expect(answered).toBe(total)
  expect(ahead).toBeLessThan(2_000)
}, 30_000)

test('a patch comes as merge patch or as JSON, an act without a body; other types are refused', async () => {
  const { id } = await create()
  const patched = (type: string) =>
    app.inject({
      method: 'PATCH',
      url: `/v1/users/${id}`,
      headers: { 'content-type': type },
      payload: '{"locale":"de"}',
    })
  expect((await patched('application/merge-patch+json')).json()).toMatchObject({ locale: 'de', version: 2 })
  expect((await patched('application/json; charset=utf-8')).json()).toMatchObject({ version: 2 })
  expect((await patched('text/plain')).json()).toMatchObject({ code: 'ERR_MEDIA_TYPE_UNSUPPORTED', status: 415 })
  expect((await send('POST', `/v1/users/${id}/suspend`, { reason: 'x' })).json()).toMatchObject({
    code: 'ERR_REQUEST_INVALID',
  })
  expect((await send('POST', `/v1/users/${id}/suspend`)).json()).toMatchObject({ status: 'suspended', version: 3 })
})

test('the OpenAPI document tells every address, its bodies with examples, and its problems', async () => {
  const { openapi, paths } = (await app.inject('/openapi.json')).json()
  expect(openapi).toMatch(/^3\.1/)
  expect(Object.keys(paths).filter((path) => path.startsWith('/v1/'))).toHaveLength(10)
  const creation = paths['/v1/users'].post
  const body = creation.requestBody.content['application/json'].schema
  expect(body).toMatchObject({ required: ['userName'], additionalProperties: false, example: { userName: 'ada' } })
  expect(Object.keys(paths['/v1/users/{id}'].patch.requestBody.content)).toContain('application/merge-patch+json')
  expect(Object.keys(creation.responses)).toEqual(expect.arrayContaining(['201', '400', '409', '422', '503']))
  expect(creation.parameters).toContainEqual(expect.objectContaining({ name: 'idempotency-key', in: 'header' }))
})

test('no personal data is in a log line, not even of what fails', async () => {
  await create({ ...person(), phone: '+4912345678', attributes: { note: CANARY } })
  await send('POST', '/v1/users', { userName: CANARY, emails: 'x', [CANARY]: 1 })
  await importLines([`{"userName":"${CANARY}"`])
  await app.inject(`/v1/users?email=${CANARY}@example.com`)
  expect(log.text()).not.toContain(CANARY)
})

test('every code that is answered is in the table', async () => {
  const answers = await Promise.all([
    send('GET', `/v1/users/${uuidv7()}`),
    send('GET', '/v1/users?cursor=bm9uc2Vuc2U'),
    send('POST', '/v1/users', person(), { 'idempotency-key': 'with space' }),
    importLines(['{}'], { 'import-id': 'no' }),
  ])
  for (const answer of answers)
    expect(PROBLEMS).toHaveProperty(answer.json().code, expect.objectContaining({ status: answer.statusCode }))
})
