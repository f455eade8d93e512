import { uuidv7 } from 'uuidv7'
import { codec, openRegistry, type RegistryInTest } from '../registry-in-test.js'

let registry: RegistryInTest

beforeAll(async () => {
  registry = await openRegistry()
})
afterAll(() => registry?.close())

const create = async (tenant = 'ours'): Promise<string> => {
  const payload = { userName: uuidv7(), emails: [{ value: `${uuidv7()}@example.org` }] }
  return (
    await registry.app.inject({ method: 'POST', url: '/v1/users', payload, headers: { 'x-tenant': tenant } })
  ).json().id
}
const rename = (id: string, given: string) =>
  registry.app.inject({ method: 'PATCH', url: `/v1/users/${id}`, payload: { name: { given } } })
const get = async (path: string) => (await registry.app.inject({ url: path })).json()

interface Digest {
  readonly users: number
  readonly items: [number, number, string][]
}

test('a change of a version shows in the hash of one bucket, whatever the order; another tenant counts too', async () => {
  expect(await get('/admin/users/digest')).toMatchObject({ buckets: 1_024, users: 0, items: [] })
  const ids = [await create(), await create('theirs'), await create()]
  const before: Digest = await get('/admin/users/digest?buckets=4096')
  expect(before).toMatchObject({ users: 3, buckets: 4_096, at: expect.any(String), snapshot: expect.any(String) })

  await rename(ids[0] as string, 'Ada')
  const after: Digest = await get('/admin/users/digest?buckets=4096')
  const key = (item: [number, number, string]) => JSON.stringify(item)
  const changed = after.items.filter((item) => !before.items.map(key).includes(key(item)))
  expect(changed).toHaveLength(1)

  const [bucket] = changed[0] as [number, number, string]
  const { items } = await get(`/admin/users/versions?buckets=4096&bucket=${bucket},4095`)
  expect(items).toContainEqual([ids[0], 2])
  const one: Digest = await get('/admin/users/digest?buckets=1')
  expect(one.items).toMatchObject([[0, 3, expect.any(String)]])
})

test('versions are told of the users named, of those that are there', async () => {
  const id = await create()
  await registry.app.inject({ method: 'DELETE', url: `/v1/users/${id}` })
  const answer = await registry.app.inject({
    method: 'POST',
    url: '/admin/users/versions',
    payload: { userIds: [uuidv7(), id] },
  })
  expect(answer.json()).toEqual({ items: [[id, 2]] })
})

test.each(['digest?buckets=3', 'digest?buckets=131072', 'versions?buckets=8', 'versions?buckets=8&bucket=x'])(
  '%s is refused',
  async (path) => {
    expect(await get(`/admin/users/${path}`)).toMatchObject({ code: 'ERR_REQUEST_INVALID' })
  },
)

test('the state of a user is an event of its last version that carries all of it, also when the archive is empty', async () => {
  const id = await create()
  await rename(id, 'Ada')
  const [last] = (await get(`/v1/users/${id}/events?from=2&to=2`)).items
  await registry.database.pool.query('DELETE FROM outbox.message WHERE aggregate_id = $1', [id])

  const state = await get(`/v1/users/${id}/state`)
  const event = await codec.decode(Buffer.from(state.value, 'base64'))
  expect(state).toMatchObject({ version: 2, type: 'UserUpdated', eventId: event.eventId })
  expect(event.user).toEqual((await codec.decode(Buffer.from(last.value, 'base64'))).user)
  expect(event.eventId).not.toBe(last.eventId)

  await registry.app.inject({ method: 'POST', url: `/v1/users/${id}/suspend` })
  expect(await get(`/v1/users/${id}/state`)).toMatchObject({ version: 3, type: 'UserSuspended' })
  await registry.app.inject({ method: 'DELETE', url: `/v1/users/${id}` })
  expect(await get(`/v1/users/${id}/state`)).toMatchObject({ version: 4, type: 'UserDeleted' })
  expect(await get(`/v1/users/${uuidv7()}/state`)).toMatchObject({ code: 'ERR_USER_NOT_FOUND' })
})
