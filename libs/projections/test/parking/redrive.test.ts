import { randomUUID } from 'node:crypto'
import type { UserLifecycleEvent } from '@rollcall/events'
import { history, userCreated } from '@rollcall/events/testing'
import { type DeadLetters, defineProjection, type Projection, type RunProjectionsOptions } from '../../src/index.js'
import { type MemoryLog, memoryLog } from '../memory-log.js'
import { byBatch, byEvent, byTable, expectedRows, type Fixture, fixture, rows, run, seenEvents } from '../support.js'

type Event = UserLifecycleEvent
type Client = import('@rollcall/database').PoolClient

let fixed: Fixture
beforeEach(async () => {
  fixed = await fixture()
})
afterEach(() => fixed.close())

const seen = (userId: string | undefined) => seenEvents(fixed.pool, userId)
const acts = async () =>
  (await fixed.pool.query('SELECT act, actor, key, reason, facts FROM projections.operator_act ORDER BY id')).rows

/** Fails on events while they are in `broken`; the bug is mended by taking them out. */
function breakable(broken: Set<string>) {
  const good = byEvent()
  const guard =
    (handler: ((event: never, context: never) => unknown) | undefined) => (event: Event, context: { tx: Client }) => {
      if (broken.has(event.eventId)) throw new Error(`cannot handle version ${event.version}`)
      return handler?.(event as never, context as never)
    }
  const on = Object.fromEntries(Object.entries(good.on ?? {}).map(([type, handler]) => [type, guard(handler as never)]))
  return defineProjection({ ...good, on } as typeof good)
}

async function started(
  log: MemoryLog,
  projection: Projection<Event, Client>,
  options: Partial<RunProjectionsOptions<Event, Client>> = {},
) {
  const running = run(fixed, log, [projection], options)
  await running.projections.start()
  await log.consumers.at(-1)?.assign([0])
  await log.consumers.at(-1)?.drain()
  return { ...running, letters: running.projections.deadLetters(projection.name) }
}

/** A parked user: version 3 of 6 fails, three more wait behind it; someone else is fine. */
async function parked() {
  const log = memoryLog(1)
  const events = history(6)
  const other = history(4)
  log.append(0, ...events, ...other)
  const broken = new Set([events[2]?.eventId ?? ''])
  const running = await started(log, breakable(broken))
  return { ...running, log, events, other, broken, userId: events[0]?.userId ?? '' }
}

test('a failing event parks its user with what follows; everybody else is applied', async () => {
  const { letters, userId, other, metric, projections } = await parked()
  expect(await letters.show(userId)).toMatchObject({ letters: 4, failures: [{ seenVersion: 3 }] })
  expect(await seen(userId)).toBe(2)
  expect(await seen(other[0]?.userId)).toBe(4)
  expect(await metric('rollcall_projection_dead_letters_total')).toBe(4)
  expect((await projections.status())[0]).toMatchObject({ parkedUsers: 1, lagRecords: 0 })
  await projections.checkProgress()
})

test('what-if shows the rows a retry would change, and changes nothing', async () => {
  const { letters, userId, broken, events } = await parked()
  broken.clear()
  const before = await rows(fixed.pool, 'person_by_event')
  const result = await letters.whatIf(userId)
  expect(result).toMatchObject({ applied: 4, left: 0, failure: null })
  const person = result.rows.find(({ table }) => table === 'person_by_event')
  expect(person).toMatchObject({ before: { user_id: userId, version: 2 }, after: { user_id: userId, version: 6 } })
  expect(result.rows.find(({ table }) => table === 'seen')).toMatchObject({
    before: { events: 2 },
    after: { events: 6 },
  })
  expect(await rows(fixed.pool, 'person_by_event')).toEqual(before)
  expect(await letters.show(userId)).toMatchObject({ letters: 4 })
  expect(await seen(events[0]?.userId)).toBe(2)
})

test('what-if shows rows that would come and go', async () => {
  const log = memoryLog(1)
  const events = history(2)
  const [created] = events as [Event, Event]
  log.append(0, created)
  const broken = new Set<string>()
  const running = await started(log, breakable(broken))
  const gone = { ...created, eventId: randomUUID(), type: 'UserDeleted', version: 2 } as Event
  broken.add(gone.eventId)
  const fresh = userCreated()
  broken.add(fresh.eventId)
  log.append(0, gone, fresh)
  await log.consumers[0]?.drain()
  broken.clear()
  const deleting = await running.letters.whatIf(created.userId)
  expect(deleting.rows.find(({ table }) => table === 'person_by_event')).toMatchObject({
    before: { user_id: created.userId },
    after: null,
  })
  const creating = await running.letters.whatIf(fresh.userId)
  expect(creating.rows.find(({ table }) => table === 'person_by_event')).toMatchObject({
    before: null,
    after: { user_id: fresh.userId },
  })
})

test('a retry applies everything in order, once, and releases the user; new events follow', async () => {
  const { letters, userId, broken, events, other, log } = await parked()
  broken.clear()
  expect(await letters.retry(userId, 'ada')).toEqual({ applied: 4, left: 0, failure: null })
  await expect(letters.show(userId)).rejects.toMatchObject({ code: 'ERR_PROJECTION_USER_NOT_PARKED' })
  const next = { ...(events[5] as Event), eventId: randomUUID(), version: 7 }
  log.append(0, next)
  await log.consumers[0]?.drain()
  expect(await seen(userId)).toBe(7)
  expect(await rows(fixed.pool, 'person_by_event')).toMatchObject(expectedRows([...events, next, ...other]))
  expect(await acts()).toMatchObject([{ act: 'dead-letters.retry', actor: 'ada', key: userId }])
})

test('a retry that fails keeps what went well, and both errors', async () => {
  const { letters, userId, broken, events } = await parked()
  broken.clear()
  broken.add(events[4]?.eventId ?? '')
  expect(await letters.retry(userId, 'ada')).toMatchObject({ applied: 2, left: 2, failure: { seenVersion: 5 } })
  expect(await seen(userId)).toBe(4)
  const { failures } = await letters.show(userId)
  expect(failures.map(({ seenVersion }) => seenVersion)).toEqual([3, 5])
})

test('a discard passes over the first waiting event with a reason; the rest can follow', async () => {
  const { letters, userId } = await parked()
  const request = { reason: 'made by a test', actor: 'ada' }
  expect(await letters.discard(userId, { ...request, dryRun: true })).toEqual({ discarded: 1, left: 3 })
  expect(await letters.show(userId)).toMatchObject({ letters: 4 })
  expect(await letters.discard(userId, request)).toEqual({ discarded: 1, left: 3 })
  expect(await letters.retry(userId, 'ada')).toMatchObject({ applied: 3, left: 0 })
  expect(await seen(userId)).toBe(5)
  expect(await acts()).toMatchObject([
    { act: 'dead-letters.discard', actor: 'ada', key: userId, reason: 'made by a test' },
    { act: 'dead-letters.retry' },
  ])
})

test('discarding all releases the user at its newest version', async () => {
  const { letters, userId, events, log } = await parked()
  expect(await letters.discard(userId, { reason: 'all wrong', actor: 'ada', all: true })).toEqual({
    discarded: 4,
    left: 0,
  })
  log.append(0, { ...(events[5] as Event), eventId: randomUUID(), version: 7 })
  await log.consumers[0]?.drain()
  expect(await seen(userId)).toBe(3)
})

test('discarding more than one page of records still ends at the newest version', async () => {
  const log = memoryLog(1)
  const events = history(602)
  log.append(0, ...events.slice(0, 601))
  const { letters } = await started(log, breakable(new Set([events[0]?.eventId ?? ''])))
  const userId = events[0]?.userId ?? ''
  expect(await letters.discard(userId, { reason: 'all wrong', actor: 'ada', all: true })).toEqual({
    discarded: 601,
    left: 0,
  })
  log.append(0, events[601] as Event)
  await log.consumers[0]?.drain()
  expect(await seen(userId)).toBe(1)
})

test('events that come while a retry runs are neither lost nor applied twice', async () => {
  const { letters, userId, broken, events, log } = await parked()
  broken.clear()
  const more = [7, 8, 9].map((version) => ({ ...(events[5] as Event), eventId: randomUUID(), version }))
  log.append(0, ...more)
  const [result] = await Promise.all([letters.retry(userId, 'ada'), log.consumers[0]?.drain()])
  const late = result.left === 0 ? await letters.list(1) : undefined
  if ((late?.totalUsers ?? 1) > 0) await letters.retry(userId, 'ada')
  expect(await seen(userId)).toBe(9)
})

test('parked users outlive the process, and another one goes on parking', async () => {
  const { userId, events, log, projections, broken } = await parked()
  await projections.close()
  log.append(0, { ...(events[5] as Event), eventId: randomUUID(), version: 7 })
  const heir = await started(log, breakable(broken))
  expect(await heir.letters.show(userId)).toMatchObject({ letters: 5 })
  expect(await seen(userId)).toBe(2)
})

test('at the limit of users, or of records behind one, the partition stops before what does not fit', async () => {
  const log = memoryLog(1)
  const poisons = Array.from({ length: 3 }, () => userCreated())
  const fine = userCreated()
  log.append(0, ...poisons.slice(0, 2), fine, poisons[2] as Event, userCreated())
  const broken = new Set(poisons.map(({ eventId }) => eventId))
  const { projections } = await started(log, breakable(broken), { maxParkedUsers: 2 })
  const failure = { code: 'ERR_PROJECTION_PARKING_FULL', userId: poisons[2]?.userId, offset: 3 }
  expect((await projections.status())[0]).toMatchObject({
    parkedUsers: 2,
    partitions: [{ state: 'stopped', position: 3, failure }],
  })
  expect(await seen(fine.userId)).toBe(1)
  await projections.close()

  const long = memoryLog(1)
  const life = history(6)
  long.append(0, ...life)
  await fixed.pool.query('DELETE FROM projections.projection')
  const other = await started(long, breakable(new Set([life[0]?.eventId ?? ''])), { maxLettersPerUser: 4 })
  expect((await other.projections.status())[0]).toMatchObject({
    partitions: [{ state: 'stopped', position: 4, failure: { code: 'ERR_PROJECTION_PARKING_FULL', offset: 4 } }],
  })
})

test('a rebuild starts with nobody parked', async () => {
  const { letters, projections, broken, events, other, log } = await parked()
  broken.clear()
  await projections.rebuild('by-event')
  await log.consumers[0]?.assign([0])
  await log.consumers[0]?.drain()
  expect(await letters.list(10)).toEqual({ users: [], totalUsers: 0, unnamed: [] })
  expect(await rows(fixed.pool, 'person_by_event')).toMatchObject(expectedRows([...events, ...other]))
})

test.each([
  ['table', byTable, 'person'],
  ['onBatch', byBatch, 'person_by_batch'],
] as const)('a user of the form %s is parked, shown and released too', async (_form, make, table) => {
  const refuse = `ALTER TABLE ${table} ADD CONSTRAINT refuse CHECK (user_name <> 'refused')`
  await fixed.pool.query(refuse)
  const log = memoryLog(1)
  const poison = userCreated({ user: { userName: 'refused' } })
  log.append(0, userCreated(), poison, userCreated())
  const { letters } = await started(log, make() as Projection<Event, Client>)
  expect((await rows(fixed.pool, table)).length).toBe(2)
  expect(await (letters as DeadLetters).whatIf(poison.userId)).toMatchObject({ applied: 0, left: 1, rows: [] })
  await fixed.pool.query(`ALTER TABLE ${table} DROP CONSTRAINT refuse`)
  expect((await letters.whatIf(poison.userId)).rows).toMatchObject([
    { table, before: null, after: { user_name: 'refused' } },
  ])
  expect(await letters.retry(poison.userId, 'ada')).toEqual({ applied: 1, left: 0, failure: null })
  expect((await rows(fixed.pool, table)).length).toBe(3)
})
