import type { UserLifecycleEvent } from '@rollcall/events'
import { history, userCreated, userDeleted, userUpdated } from '@rollcall/events/testing'
import { defineProjection, type Projection, type VerifyRequest } from '../../src/index.js'
import { type MemoryLog, memoryLog } from '../memory-log.js'
import {
  byEvent,
  byTable,
  expectedRows,
  type Fixture,
  fixture,
  type Running,
  rows,
  run,
  seenEvents,
  until,
} from '../support.js'
import { type MemoryRegistry, memoryRegistry } from './memory-registry.js'

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

/** Known to the registry and the archive, and on the topic unless it lost them. */
function happen(events: readonly Event[], lost: (event: Event) => boolean = () => false): void {
  registry.happen(...events)
  log.know(...events)
  log.append(0, ...events.filter((event) => !lost(event)))
}

async function started(projection: Projection<Event, Client> = byTable()): Promise<Running> {
  const running = run(fixed, log, [projection], { registry })
  await running.projections.start()
  await log.consumers.at(-1)?.assign([0])
  await log.consumers.at(-1)?.drain()
  return running
}

const verify = (running: Running, request: Partial<VerifyRequest> = {}, name = 'by-table') =>
  running.projections.verify(name, { actor: 'ada', waitMs: 200, ...request })
const acts = async () =>
  (await fixed.pool.query('SELECT act, actor, key, facts FROM projections.operator_act ORDER BY id')).rows
/** Nobody leaves, so that there is a row. */
function lasting(): Event[] {
  const created = userCreated()
  const updated = userUpdated(created)
  return [created, updated, userUpdated(updated)]
}
const idOf = (events: readonly Event[]) => events[0]?.userId ?? ''
const parked = async (running: Running, name = 'by-table') =>
  (await running.projections.deadLetters(name).list(10)).users.map(({ userId }) => userId)

test('a read model that has everything is equal, and the report says at which positions', async () => {
  const users = Array.from({ length: 30 }, () => history(3))
  happen(users.flat())
  const running = await started()
  expect(await verify(running, { content: true })).toMatchObject({
    projection: 'by-table',
    registry: { users: 30, at: '2026-01-01T00:00:00.000Z' },
    readModel: { users: 30, positions: { 0: 90 } },
    buckets: { compared: 1, unequal: 0 },
    content: { users: 30, unchecked: 0 },
    found: {},
    left: 0,
    items: [],
  })
  expect(await acts()).toEqual([])
})

test('a user whose records the topic lost is found without any later event, and healed by key, counted and audited', async () => {
  const [whole, behind, missing] = [history(3), history(4), history(2)]
  happen(whole)
  happen(behind, ({ version }) => version > 2)
  happen(missing, () => true)
  const running = await started()

  const found = await verify(running)
  expect(found).toMatchObject({ found: { behind: 1, missing: 1 }, buckets: { compared: 1_024 }, repaired: 0, left: 2 })
  expect(found.items).toContainEqual({
    userId: idOf(behind),
    kind: 'behind',
    registryVersion: 4,
    appliedVersion: 2,
    parked: false,
    repair: 'none',
  })
  expect(found.items).toContainEqual(expect.objectContaining({ userId: idOf(missing), appliedVersion: 0 }))
  expect(await verify(running, { repair: true, dryRun: true })).toMatchObject({ repaired: 2, left: 0, dryRun: true })
  expect(await acts()).toEqual([])
  expect(await parked(running)).toEqual([])

  expect(await verify(running, { repair: true })).toMatchObject({ repaired: 2, left: 0 })
  expect(await rows(fixed.pool, 'person')).toMatchObject(expectedRows([...whole, ...behind, ...missing]))
  expect(await parked(running)).toEqual([])
  const noted = await acts()
  expect(noted.filter(({ key }) => key === idOf(behind))).toMatchObject([
    { act: 'verify.heal', actor: 'ada', facts: { fromVersion: 3, toVersion: 4 } },
    { act: 'gap.heal', actor: 'rollcall', facts: { fromVersion: 3, toVersion: 4, applied: 2, left: 0 } },
  ])
  expect(noted.at(-1)).toMatchObject({ act: 'verify', facts: { repaired: 2, left: 0 } })
  expect(await running.metric('rollcall_projection_repairs_total')).toBe(2)
  expect(await verify(running)).toMatchObject({ found: {} })
})

test('what arrives while a user is healed waits behind it, and is applied after it, once', async () => {
  const events = history(5)
  happen(events.slice(0, 4), ({ version }) => version > 2)
  const running = await started(byEvent())
  // For whoever heals, this comparison or the look-out for gaps: both may be at it.
  let arrival: Promise<void> | undefined
  registry.beforeEvents = () => {
    arrival ??= (async () => {
      happen(events.slice(4))
      await log.consumers.at(-1)?.drain()
      expect(await parked(running, 'by-event')).toEqual([idOf(events)])
    })()
    return arrival
  }
  expect(await verify(running, { repair: true }, 'by-event')).toMatchObject({ repaired: 1, left: 0 })
  await log.consumers.at(-1)?.drain()
  expect(await seenEvents(fixed.pool, idOf(events))).toBe(5)
  expect(await parked(running, 'by-event')).toEqual([])
})

test('more versions than one page are healed too', async () => {
  const events = history(1_203)
  happen(events, ({ version }) => version > 1)
  const running = await started(byEvent())
  expect(await verify(running, { repair: true }, 'by-event')).toMatchObject({ repaired: 1, left: 0 })
  expect(await seenEvents(fixed.pool, idOf(events))).toBe(1_203)
})

test('a user that changes meanwhile is no difference', async () => {
  const events = history(3)
  happen(events.slice(0, 2))
  const running = await started()
  // In the registry and not here: as if the relay were on its way.
  registry.happen(events[2] as Event)
  const verifying = verify(running, { waitMs: 20_000 })
  log.know(events[2] as Event)
  log.append(0, events[2] as Event)
  await log.consumers.at(-1)?.drain()
  expect(await verifying).toMatchObject({ found: {}, left: 0 })
})

test('what the registry does not know, or is behind with, is told and left alone', async () => {
  const [ahead, forgotten, gone] = [history(3), history(2), history(1)]
  happen([...ahead, ...forgotten, ...gone])
  happen([userDeleted(gone.at(-1) as Event)])
  const running = await started()
  registry.forget(idOf(ahead))
  registry.happen(...ahead.slice(0, 2))
  registry.forget(idOf(forgotten))
  // No row is left of this one: only the version is kept, against late events.
  registry.forget(idOf(gone))

  const report = await verify(running, { repair: true, waitMs: 10_000 })
  expect(report).toMatchObject({ found: { ahead: 1, unknown: 1 }, repaired: 0, left: 2 })
  expect(report.items).toContainEqual(
    expect.objectContaining({ userId: idOf(forgotten), registryVersion: null, appliedVersion: 2, repair: 'none' }),
  )
  expect(await rows(fixed.pool, 'person')).toHaveLength(2)
})

test('a parked user is told as parked, not waited for, and left to its operator', async () => {
  const events = history(4)
  happen(events)
  const poisoned = byTable()
  const row = (user: Event['user']) => {
    if (user.version >= 3) throw new Error('cannot make a row of this')
    return poisoned.table.row(user as never, undefined as never)
  }
  const running = await started(defineProjection<Event>({ ...poisoned, table: { ...poisoned.table, row } }))
  const report = await verify(running, { repair: true, content: true, waitMs: 60_000 })
  expect(report).toMatchObject({ found: { behind: 1 }, left: 1, content: { users: 1, unchecked: 0 } })
  expect(report.items).toMatchObject([{ parked: true, registryVersion: 4, appliedVersion: 2, repair: 'none' }])
  expect(await parked(running)).toEqual([idOf(events)])
})

test('events that are gone from the archive are replaced by the state, in a table projection', async () => {
  const [behind, other] = [history(5), history(2)]
  happen(behind, ({ version }) => version > 2)
  happen(other)
  const running = await started()
  registry.forgetEvents(idOf(behind))
  expect(await verify(running, { repair: true })).toMatchObject({ found: { behind: 1 }, repaired: 1, left: 0 })
  expect(await rows(fixed.pool, 'person')).toMatchObject(expectedRows([...behind, ...other]))
  expect(await acts()).toContainEqual(
    expect.objectContaining({ act: 'gap.heal', facts: expect.objectContaining({ fromState: true, toVersion: 5 }) }),
  )
})

test('so is a gap that shows by itself, and what waits behind it goes on', async () => {
  const events = history(6)
  registry.happen(...events.slice(0, 5))
  registry.forgetEvents(idOf(events))
  log.know(...events)
  log.append(0, ...events.filter(({ version }) => ![2, 3, 4].includes(version)))
  const running = await started()
  await until(async () => (await parked(running)).length === 0)
  expect(await rows(fixed.pool, 'person')).toMatchObject(expectedRows(events))
  expect(await running.projections.userProgress('by-table', idOf(events))).toMatchObject({ version: 6 })
})

test('an `on` projection is not healed from a state: its user stays parked, with the reason', async () => {
  const events = history(4)
  happen(events, ({ version }) => version > 2)
  const running = await started(byEvent())
  registry.forgetEvents(idOf(events))
  const report = await verify(running, { repair: true }, 'by-event')
  expect(report).toMatchObject({ repaired: 0, left: 1, items: [{ kind: 'behind', repair: 'parked' }] })
  const shown = await running.projections.deadLetters('by-event').show(idOf(events))
  expect(shown.failures.map(({ code }) => code)).toEqual(['ERR_PROJECTION_VERSION_GAP', 'ERR_PROJECTION_EVENTS_GONE'])
  expect(await seenEvents(fixed.pool, idOf(events))).toBe(2)
})

test('a handler that fails while a user is healed leaves it parked, behind nothing, until it is mended', async () => {
  const events = history(4)
  happen(events, ({ version }) => version > 2)
  const good = byTable()
  let isBroken = true
  const row = (user: Event['user']) => {
    if (isBroken && user.version === 4) throw new Error('cannot make a row of this')
    return good.table.row(user as never, undefined as never)
  }
  const running = await started(defineProjection<Event>({ ...good, table: { ...good.table, row } }))
  expect(await verify(running, { repair: true })).toMatchObject({ left: 1, items: [{ repair: 'parked' }] })
  const shown = await running.projections.deadLetters('by-table').show(idOf(events))
  expect(shown).toMatchObject({ letters: 0, failures: [{}, { code: 'ERR_PROJECTION_HANDLER_FAILED', seenVersion: 4 }] })

  isBroken = false
  // Nothing waits, so a retry only lets go; the next comparison heals.
  expect(await running.projections.deadLetters('by-table').retry(idOf(events), 'ada')).toMatchObject({ left: 0 })
  expect(await verify(running, { repair: true })).toMatchObject({ repaired: 1, left: 0 })
})

test('a corrupted row, a lost one and one that nobody made are found by what row() says, and mended by key', async () => {
  const users = Array.from({ length: 20 }, () => lasting())
  const left = [userCreated()]
  happen([...users.flat(), ...left])
  happen([userDeleted(left[0] as Event)])
  const running = await started()
  const before = await rows(fixed.pool, 'person')
  const [wrong, lost] = [idOf(users[0] as Event[]), idOf(users[1] as Event[])]
  const stranger = userCreated().userId
  await fixed.pool.query(`UPDATE person SET user_name = 'mallory', attributes = '{}' WHERE user_id = $1`, [wrong])
  await fixed.pool.query('DELETE FROM person WHERE user_id = $1', [lost])
  for (const extra of [stranger, idOf(left)]) {
    await fixed.pool.query(
      `INSERT INTO person SELECT $1, user_name, emails, attributes, status, version, updated_at FROM person LIMIT 1`,
      [extra],
    )
  }
  expect(await verify(running)).toMatchObject({ found: {} })

  const report = await verify(running, { content: true })
  expect(report).toMatchObject({ found: { 'row differs': 1, 'row missing': 1, 'row extra': 2 }, left: 4, repaired: 0 })
  const differs = report.items.find(({ userId }) => userId === wrong)
  expect(differs).toMatchObject({ kind: 'row differs', columns: ['user_name', 'attributes'], appliedVersion: 3 })
  expect(await verify(running, { content: true, repair: true, dryRun: true })).toMatchObject({ repaired: 4 })
  expect(await acts()).toEqual([])

  expect(await verify(running, { content: true, repair: true })).toMatchObject({ repaired: 4, left: 0 })
  expect(await rows(fixed.pool, 'person')).toEqual(before)
  expect((await acts()).filter(({ act }) => act === 'verify.repair').map(({ key }) => key)).toEqual(
    expect.arrayContaining([wrong, lost, stranger, idOf(left)]),
  )
  expect(await verify(running, { content: true })).toMatchObject({ found: {}, content: { users: 21 } })

  // The owner goes on.
  const next = userUpdated(users[0]?.at(-1) as Event)
  happen([next])
  await log.consumers.at(-1)?.drain()
  expect(await running.projections.userProgress('by-table', wrong)).toMatchObject({ version: 4 })
})

test('a row whose record the topic lost is held against the registry; without its event it is counted as unchecked', async () => {
  const [one, other] = [lasting(), history(2)]
  happen([...one, ...other])
  const running = await started()
  log.compact(0, 0, 3)
  await fixed.pool.query(`UPDATE person SET status = 'odd' WHERE user_id = $1`, [idOf(one)])
  expect(await verify(running, { content: true })).toMatchObject({
    found: { 'row differs': 1 },
    content: { users: 2, unchecked: 0 },
  })
  registry.forgetEvents(idOf(one))
  expect(await verify(running, { content: true, repair: true })).toMatchObject({ repaired: 1 })

  const next = userUpdated(one.at(-1) as Event)
  registry.happen(next)
  registry.forgetEvents(idOf(one))
  log.know(next)
  expect(await verify(running, { content: true })).toMatchObject({ content: { users: 1, unchecked: 1 } })
})

test('the content of other forms is refused, with the way that is left', async () => {
  const running = await started(byEvent())
  await expect(verify(running, { content: true }, 'by-event')).rejects.toMatchObject({
    code: 'ERR_PROJECTION_FORM_UNSUPPORTED',
    message: expect.stringContaining('projections rebuild'),
  })
})

test('without a registry it is said what is missing', async () => {
  const running = run(fixed, log, [byTable()])
  await running.projections.start()
  await expect(verify(running)).rejects.toMatchObject({ code: 'ERR_PROJECTION_REGISTRY_UNKNOWN' })
})
