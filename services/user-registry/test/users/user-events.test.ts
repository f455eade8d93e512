import { decodeRecordBody } from '@rollcall/kafka'
import { uuidv7 } from 'uuidv7'
import { codec, openRegistry, type RegistryInTest } from '../registry-in-test.js'

let registry: RegistryInTest
let id: string

beforeAll(async () => {
  registry = await openRegistry()
})
afterAll(() => registry?.close())

beforeEach(async () => {
  const payload = { userName: uuidv7(), emails: [{ value: `${uuidv7()}@example.org` }] }
  id = (await registry.app.inject({ method: 'POST', url: '/v1/users', payload })).json().id
  for (const given of ['Ada', 'Augusta', 'Ada Augusta'])
    await registry.app.inject({ method: 'PATCH', url: `/v1/users/${id}`, payload: { name: { given } } })
})

const events = (query: string, headers: Record<string, string> = {}) =>
  registry.app.inject({ url: `/v1/users/${id}/events?${query}`, headers })

test('events come with the very bytes of their records, and no others', async () => {
  const answer = await events('from=2&to=3')
  expect(answer.statusCode).toBe(200)
  const { rows } = await registry.database.pool.query<{ record: Buffer }>(
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
  await registry.database.pool.query('DELETE FROM outbox.message WHERE aggregate_id = $1 AND version <= 2', [id])
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
  await registry.app.inject({ method: 'DELETE', url: `/v1/users/${id}` })
  expect((await events('from=5&to=5')).json()).toMatchObject({ items: [{ version: 5, type: 'UserDeleted' }] })
})

test.each(['', 'from=2&to=1', 'from=0&to=1', 'from=1&to=501', 'from=1&to=x'])('"%s" is no range', async (query) => {
  const answer = await events(query)
  expect(answer.statusCode).toBe(400)
  expect(answer.json()).toMatchObject({ code: 'ERR_REQUEST_INVALID' })
})
