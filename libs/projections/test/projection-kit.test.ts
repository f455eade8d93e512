import { history, userCreated, userDeleted, userUpdated } from '@rollcall/events/testing'
import { pgStore } from '../src/index.js'
import { noRow, projectionTest, row } from '../src/testing/index.js'
import { byBatch, byEvent, byTable, type Fixture, fixture } from './support.js'

let fixed: Fixture
beforeAll(async () => {
  fixed = await fixture()
})
afterAll(() => fixed.close())

const of = (projection: ReturnType<typeof byEvent> | ReturnType<typeof byBatch> | ReturnType<typeof byTable>) =>
  projectionTest({ projection, store: pgStore(fixed.pool), sql: fixed.pool })
const created = userCreated()
const { userId, user } = created

test.each([
  ['by event', byEvent(), 'person_by_event'],
  ['by batch', byBatch(), 'person_by_batch'],
  ['by table', byTable(), 'person'],
] as const)('a scenario runs through the real transactions (%s)', async (_, projection, table) => {
  const updated = userUpdated(created)
  const columns = { user_id: userId, emails: user.emails.map(({ value }) => value), updated_at: updated.user.updatedAt }
  await of(projection).given(created).when(updated, { times: 2 }).then(row(table, columns))
  await of(projection).given(created).when(userDeleted(created), { times: 2 }).then(noRow(table))
  await of(projection)
    .given(...history(4))
    .when(created)
    .then(row(table, { user_id: userId, version: 1 }))
})

test('a repeat goes past the version check under another event id: an effect that adds up is found', async () => {
  await of(byEvent())
    .when(created)
    .then(row('seen', { user_id: userId, events: 1 }))
  await expect(
    of(byEvent())
      .when(created, { times: 2 })
      .then(row('seen', { events: 1 })),
  ).rejects.toThrow('the nearest differs in events: expected 1, found 2')
})

test('each scenario begins with an empty read model', async () => {
  await of(byTable())
    .when(created)
    .then(row('person', { user_id: userId }))
  await of(byTable())
    .when(userCreated())
    .then(noRow('person', { user_id: userId }))
})

test('a failure says what was expected, what is there, and which event was at work', async () => {
  const wrong = of(byTable())
    .when(created)
    .then(row('person', { user_id: userId, status: 'suspended', version: 1 }))
  await expect(wrong).rejects.toThrow('the nearest differs in status: expected "suspended", found "active"')
  await expect(
    of(byTable())
      .when(created)
      .then(row('person', { nonsense: 1 })),
  ).rejects.toThrow('no such column')
  await expect(of(byTable()).then(row('person', { version: 1 }))).rejects.toThrow('the table is empty')
  const bad = { ...created, user: { ...user, userName: null as unknown as string } }
  await expect(of(byTable()).given(bad).when(created).then()).rejects.toThrow(
    "projection 'by-table' failed on UserCreated version 1 (given): null value in column",
  )
})

test('a scenario that is awaited half-way says so', async () => {
  await expect((async () => await of(byTable()).when(created))()).rejects.toThrow('A scenario is not a promise')
})
