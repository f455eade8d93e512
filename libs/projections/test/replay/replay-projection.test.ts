import type { UserLifecycleEvent } from '@rollcall/events'
import { history, userCreated, userUpdated } from '@rollcall/events/testing'
import { defineProjection, type Projection, type ReplayRequest } from '../../src/index.js'
import { type MemoryLog, memoryLog } from '../memory-log.js'
import { byEvent, byTable, type Fixture, fixture, type Running, rows, run, seenEvents } from '../support.js'
import { type MemoryRegistry, memoryRegistry } from '../verify/memory-registry.js'

type Event = UserLifecycleEvent
type Client = import('@rollcall/database').PoolClient

let fixed: Fixture
let log: MemoryLog
let registry: MemoryRegistry
beforeEach(async () => {
  fixed = await fixture()
  log = memoryLog(1)
  registry = memoryRegistry(fixed.pool)
})
afterEach(() => fixed.close())

function happen(...events: readonly Event[]): void {
  registry.happen(...events)
  log.append(0, ...events)
}

async function started(projection: Projection<Event, Client>): Promise<Running> {
  const running = run(fixed, log, [projection], { registry })
  await running.projections.start()
  await log.consumers.at(-1)?.assign([0])
  await log.consumers.at(-1)?.drain()
  return running
}

const replay = ({ projections }: Running, request: Partial<ReplayRequest>, name = 'by-table') =>
  projections.replay(name, { actor: 'ada', reason: 'a mended handler', from: 1, ...request })
/** Nobody leaves, so that there is a row. */
const lasting = () => {
  const created = userCreated()
  return [created, userUpdated(created)] as const
}
const idOf = (events: readonly Event[]) => events[0]?.userId ?? ''
const acts = async () =>
  (await fixed.pool.query('SELECT act, actor, key, reason, facts FROM projections.operator_act ORDER BY id')).rows
const state = async () =>
  (await fixed.pool.query('SELECT position, epoch, parking FROM projections.checkpoint')).rows as unknown[]

/** `by-table` whose rows can be made to come out otherwise, or fail. */
function changeable() {
  const good = byTable()
  const changes = { suffix: '', failsFor: '' }
  const projection = defineProjection<Event>({
    ...good,
    table: {
      ...good.table,
      row(user, event) {
        if (changes.failsFor === user.id) throw new Error('cannot make a row of this')
        const row = good.table.row(user as never, event as never)
        return row && { ...row, user_name: row.user_name + changes.suffix }
      },
    },
  })
  return { projection, changes }
}

test('a mended handler is given the events again: the row changes, versions and positions do not, the act is noted', async () => {
  const [one, other] = [[...lasting()] as Event[], history(2)]
  one.push(userUpdated(one[1] as Event), userUpdated(userUpdated(one[1] as Event)))
  happen(...one, ...other)
  const { projection, changes } = changeable()
  const running = await started(projection)
  const [before, was] = [await rows(fixed.pool, 'person'), await state()]
  changes.suffix = '!'

  expect(await replay(running, { userId: idOf(one) })).toMatchObject({ users: 1, events: 4, failed: 0, rows: null })
  const changed = (row: Record<string, unknown>) =>
    row.user_id === idOf(one) ? { ...row, user_name: `${row.user_name}!` } : row
  expect(await rows(fixed.pool, 'person')).toEqual(before.map(changed))
  expect(await state()).toEqual(was)
  expect(await running.projections.userProgress('by-table', idOf(one))).toMatchObject({ version: 4 })
  expect(await acts()).toMatchObject([
    {
      act: 'replay.user',
      actor: 'ada',
      key: idOf(one),
      reason: 'a mended handler',
      facts: { fromVersion: 1, toVersion: 4 },
    },
    { act: 'replay', key: idOf(one), facts: { fromVersion: 1, users: 1, events: 4, failed: 0 } },
  ])
})

test('since a time: the users with events since then, each from its first of them', async () => {
  const [early, late] = [history(3), history(4)]
  happen(...early, ...late.slice(0, 2))
  await new Promise((resolve) => setTimeout(resolve, 5))
  const from = new Date()
  happen(...late.slice(2))
  const running = await started(byEvent())
  expect(await replay(running, { from }, 'by-event')).toMatchObject({ users: 1, events: 2 })
  expect(await seenEvents(fixed.pool, idOf(early))).toBe(3)
  expect(await seenEvents(fixed.pool, idOf(late))).toBe(6)
  expect(await replay(running, { from: new Date(0) }, 'by-event')).toMatchObject({ users: 2, events: 7 })
})

test('a rehearsal shows the rows that would change, and changes nothing', async () => {
  const [created, updated] = lasting()
  const events = [created, updated, userUpdated(updated)]
  happen(...events)
  const { projection, changes } = changeable()
  const running = await started(projection)
  const before = await rows(fixed.pool, 'person')
  changes.suffix = '?'
  const report = await replay(running, { userId: idOf(events), dryRun: true })
  expect(report).toMatchObject({ users: 1, events: 3, dryRun: true })
  expect(report.rows).toMatchObject([
    { table: 'person', before: before[0], after: { user_name: `${before[0]?.user_name}?` } },
  ])
  expect(await rows(fixed.pool, 'person')).toEqual(before)
  expect(await acts()).toEqual([])
  changes.suffix = ''
  expect(await replay(running, { userId: idOf(events), dryRun: true })).toMatchObject({ rows: [] })
})

test('a user whose handler fails stays as it was, with the reason; the others are replayed', async () => {
  const [one, other] = [lasting(), lasting()]
  happen(...one, ...other)
  const { projection, changes } = changeable()
  const running = await started(projection)
  changes.suffix = '!'
  changes.failsFor = idOf(one)
  const report = await replay(running, { from: new Date(0) })
  expect(report).toMatchObject({ users: 1, failed: 1, failures: [{ userId: idOf(one) }] })
  const names = (await rows(fixed.pool, 'person')).filter(({ user_name }) => String(user_name).endsWith('!'))
  expect(names.map(({ user_id }) => user_id)).toEqual([idOf(other)])
  expect((await running.projections.deadLetters('by-table').list(10)).totalUsers).toBe(0)
})

test('what waits behind a parked user is not replayed', async () => {
  const events = history(5)
  happen(...events)
  const good = byEvent()
  const on = Object.fromEntries(
    Object.entries(good.on ?? {}).map(([type, handler]) => [
      type,
      (event: Event, context: { tx: Client }) => {
        if (event.version === 4) throw new Error('not this one')
        return (handler as (event: Event, context: { tx: Client }) => unknown)(event, context)
      },
    ]),
  )
  const running = await started(defineProjection({ ...good, on } as typeof good))
  expect(await seenEvents(fixed.pool, idOf(events))).toBe(3)
  expect(await replay(running, { userId: idOf(events) }, 'by-event')).toMatchObject({ events: 3, failed: 0 })
  expect(await seenEvents(fixed.pool, idOf(events))).toBe(6)
  expect((await running.projections.deadLetters('by-event').list(10)).totalUsers).toBe(1)
})

test('an event that comes while its user is replayed is applied after it', async () => {
  const events = history(3)
  happen(...events)
  const good = byEvent()
  let during: (() => void) | undefined
  const order: string[] = []
  const on = Object.fromEntries(
    Object.entries(good.on ?? {}).map(([type, handler]) => [
      type,
      async (event: Event, context: { tx: Client }) => {
        during?.()
        during = undefined
        await (handler as (event: Event, context: { tx: Client }) => unknown)(event, context)
        order.push(`${event.version}`)
      },
    ]),
  )
  const running = await started(defineProjection({ ...good, on } as typeof good))
  order.length = 0
  let drained: Promise<void> | undefined
  during = () => {
    happen(userUpdated(events.at(-1) as Event))
    drained = log.consumers.at(-1)?.drain()
  }
  await replay(running, { userId: idOf(events) }, 'by-event')
  await drained
  expect(order).toEqual(['1', '2', '3', '4'])
  expect(await running.projections.userProgress('by-event', idOf(events))).toMatchObject({ version: 4 })
})

test('what the topic has lost comes from the registry; what nobody has is said', async () => {
  const [one, other] = [history(4), history(2)]
  happen(...one, ...other)
  const running = await started(byEvent())
  log.compact(0, 1, 3)
  expect(await replay(running, { userId: idOf(one) }, 'by-event')).toMatchObject({ events: 4 })
  expect(await seenEvents(fixed.pool, idOf(one))).toBe(8)
  registry.forgetEvents(idOf(one))
  const report = await replay(running, { userId: idOf(one) }, 'by-event')
  expect(report).toMatchObject({ users: 0, failed: 1 })
  expect(report.failures[0]?.problem).toContain('ERR_PROJECTION_EVENTS_GONE')
  expect(await seenEvents(fixed.pool, idOf(one))).toBe(8)
})
