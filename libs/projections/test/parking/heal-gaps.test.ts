import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { UserLifecycleEvent } from '@rollcall/events'
import { history } from '@rollcall/events/testing'
import {
  defineProjection,
  EventsGoneError,
  type Heal,
  type HealRequest,
  healFromRegistry,
  type Projection,
  pgStore,
} from '../../src/index.js'
import { type MemoryLog, memoryLog } from '../memory-log.js'
import { byEvent, type Fixture, fixture, type Running, run, seenEvents, until } from '../support.js'

type Event = UserLifecycleEvent
type Client = import('@rollcall/database').PoolClient

let fixed: Fixture
beforeEach(async () => {
  fixed = await fixture()
})
afterEach(() => fixed.close())

const seen = (userId: string | undefined) => seenEvents(fixed.pool, userId)
const acts = async () =>
  (await fixed.pool.query('SELECT act, actor, key, facts FROM projections.operator_act ORDER BY id')).rows
const parkedUsers = async (running: Running) => (await running.projections.deadLetters('by-event').list(10)).totalUsers

/** A log that lacks some versions of a user, and the archive that has them all. */
function gappy(count: number, ...missing: readonly number[]) {
  const log = memoryLog(1)
  const events = history(count)
  const userId = events[0]?.userId ?? ''
  log.know(...events)
  log.append(0, ...events.filter(({ version }) => !missing.includes(version)))
  const asked: HealRequest[] = []
  const archive: Heal = async (request) => {
    asked.push(request)
    return events
      .filter(({ version }) => version >= request.fromVersion && version <= request.toVersion)
      .map(({ eventId }) => Buffer.from(eventId))
  }
  return { log, events, userId, archive, asked }
}

async function started(log: MemoryLog, heal?: Heal, projection: Projection<Event, Client> = byEvent()) {
  const running = run(fixed, log, [projection], heal === undefined ? {} : { heal })
  await running.projections.start()
  await log.consumers.at(-1)?.assign([0])
  await log.consumers.at(-1)?.drain()
  return running
}

test('a gap is healed: what is missing and what waits is applied in order, once, and the user released', async () => {
  const { log, userId, archive, events, asked } = gappy(7, 3, 4, 6)
  const other = history(3)
  log.append(0, ...other)
  const running = await started(log, archive)
  await until(async () => (await parkedUsers(running)) === 0)
  expect(await seen(userId)).toBe(7)
  expect(await seen(other[0]?.userId ?? '')).toBe(3)
  expect(asked).toMatchObject([
    { userId, fromVersion: 3, toVersion: 4 },
    { userId, fromVersion: 6, toVersion: 6 },
  ])
  expect(await acts()).toMatchObject([
    { act: 'gap.heal', actor: 'rollcall', key: userId, facts: { fromVersion: 3, toVersion: 4, applied: 3, left: 1 } },
    { act: 'gap.heal', actor: 'rollcall', key: userId, facts: { fromVersion: 6, toVersion: 6, applied: 2, left: 0 } },
  ])
  await until(async () => (await running.metric('rollcall_projection_gaps_healed_total')) === 2)
  expect(running.log.lines()).toContainEqual(
    expect.objectContaining({ level: 'info', msg: 'gap healed', userId, fromVersion: 3, toVersion: 4 }),
  )

  // The relay sends the missing ones after all, and a new one follows.
  const next = { ...(events[6] as Event), eventId: `${events[6]?.eventId}-next`, version: 8 }
  log.append(0, ...events.slice(2, 4), next)
  await log.consumers[0]?.drain()
  expect(await seen(userId)).toBe(8)
})

test('of two processes that heal one gap at once, one does', async () => {
  const { log, userId, archive } = gappy(5, 3)
  let askers = 0
  let release = () => {}
  const bothAsked = new Promise<void>((resolve) => {
    release = resolve
  })
  const together: Heal = async (request) => {
    if (++askers === 2) release()
    await bothAsked
    return archive(request)
  }
  const first = await started(log, together)
  await until(() => askers === 1)
  const second = run(fixed, log, [byEvent()], { heal: together })
  await second.projections.start()
  await until(async () => (await parkedUsers(first)) === 0)
  await Promise.all([first.projections.close(), second.projections.close()])
  expect(await seen(userId)).toBe(5)
  expect(await acts()).toHaveLength(1)
  const healed = await Promise.all([first, second].map((one) => one.metric('rollcall_projection_gaps_healed_total')))
  expect(healed.reduce((sum, one) => sum + one)).toBe(1)
})

test('a registry that is down delays its user alone, and one warning says so', async () => {
  const { log, userId, archive } = gappy(4, 2)
  let isDown = true
  let tries = 0
  const running = await started(log, async (request) => {
    tries++
    if (isDown) throw new Error('connect ECONNREFUSED')
    return archive(request)
  })
  await until(() => tries >= 3)
  const other = history(3)
  log.append(0, ...other)
  await log.consumers[0]?.drain()
  expect(await seen(other[0]?.userId ?? '')).toBe(3)
  expect(await seen(userId)).toBe(1)
  await running.projections.checkProgress()
  const warnings = running.log.lines().filter(({ msg }) => msg === 'gap healing will be tried again')
  expect(warnings).toMatchObject([{ level: 'warn', userId, attempt: 1 }])
  isDown = false
  await until(async () => (await parkedUsers(running)) === 0)
  expect(await seen(userId)).toBe(4)
})

test('events that are kept nowhere leave the user to an operator, said once; a retry asks again', async () => {
  const { log, userId, archive, asked } = gappy(4, 2)
  let isGone = true
  const running = await started(log, async (request) => {
    const found = await archive(request)
    return isGone ? [] : found
  })
  const letters = running.projections.deadLetters('by-event')
  const codes = async () => (await letters.show(userId)).failures.map(({ code }) => code)
  await until(async () => (await codes()).length > 1)
  expect(await codes()).toEqual(['ERR_PROJECTION_VERSION_GAP', 'ERR_PROJECTION_EVENTS_GONE'])

  // Somebody else's gap makes the healer look again.
  const others = history(3)
  log.append(0, others[0] as Event, others[2] as Event)
  await log.consumers[0]?.drain()
  await until(() => asked.length === 2)
  expect(asked[1]?.userId).toBe(others[0]?.userId)
  expect(await seen(userId)).toBe(1)

  isGone = false
  await letters.retry(userId, 'ada')
  await until(async () => (await seen(userId)) === 4)
})

test('events of somebody else, or of other versions, are not applied', async () => {
  const { log, userId, archive, events } = gappy(5, 2)
  const stranger = history(3)
  log.know(...stranger)
  const wrong = [stranger[1], events[2]].map((one) => Buffer.from(one?.eventId ?? ''))
  let tries = 0
  const running = await started(log, async (request) => {
    const value = wrong[tries++]
    return value === undefined ? archive(request) : [value]
  })
  await until(async () => (await parkedUsers(running)) === 0)
  expect(tries).toBe(3)
  expect(await seen(userId)).toBe(5)
  expect(await seen(stranger[0]?.userId ?? '')).toBe(0)
})

test('a handler that fails on a healed event leaves the user parked there; after the mend a retry heals', async () => {
  const { log, userId, archive, events } = gappy(5, 2, 3)
  const good = byEvent()
  let isBroken = true
  const on = Object.fromEntries(
    Object.entries(good.on ?? {}).map(([type, handler]) => [
      type,
      (event: Event, context: { tx: Client }) => {
        if (isBroken && event.version === 3) throw new Error('cannot handle version 3')
        return (handler as (event: Event, context: { tx: Client }) => unknown)(event, context)
      },
    ]),
  )
  const running = await started(log, archive, defineProjection({ ...good, on } as typeof good))
  const letters = running.projections.deadLetters('by-event')
  await until(async () => (await letters.show(userId)).failures.length === 2)
  expect(await letters.show(userId)).toMatchObject({
    letters: 2,
    failures: [
      { seenVersion: 4, offset: 1 },
      { code: 'ERR_PROJECTION_HANDLER_FAILED', seenVersion: 3, eventId: events[2]?.eventId, offset: 1 },
    ],
  })
  expect(await seen(userId)).toBe(2)
  isBroken = false
  await letters.retry(userId, 'ada')
  await until(async () => (await seen(userId)) === 5)
})

test('nothing is healed while the projection is paused', async () => {
  const { log, userId, archive, asked } = gappy(3, 2)
  const store = pgStore(fixed.pool)
  let looks = 0
  const watched: typeof store = {
    ...store,
    read(names) {
      looks++
      return store.read(names)
    },
  }
  const without = await started(log)
  await without.projections.pause('by-event')
  await without.projections.close()
  // Without a control loop the healer alone looks.
  const heir = run(fixed, log, [byEvent()], { heal: archive, database: watched, controlIntervalMs: 60_000 })
  await heir.projections.start()
  looks = 0
  await until(() => looks >= 2)
  expect(asked).toEqual([])
  await heir.projections.resume('by-event')
  await until(async () => (await seen(userId)) === 3)
})

describe('the registry as the archive', () => {
  let server: Server
  let answer: { status: number; body: string }
  let path: string | undefined
  beforeEach(async () => {
    server = createServer((request, response) => {
      path = request.url
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  })
  afterEach(() => new Promise((resolve) => server.close(resolve)))

  const heal = (options: { maxBytes?: number } = {}) => {
    const registryUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const fetchMissing = healFromRegistry({ registryUrl, ...options })
    return fetchMissing({ userId: 'u', fromVersion: 3, toVersion: 4, signal: new AbortController().signal })
  }
  const unavailable = { code: 'ERR_PROJECTION_EVENTS_UNAVAILABLE', retryable: true }

  test('values come as the bytes they are', async () => {
    const values = [Buffer.from([0, 255, 3]), Buffer.from('four')]
    const items = values.map((value, index) => ({ version: 3 + index, value: value.toString('base64') }))
    answer = { status: 200, body: JSON.stringify({ items }) }
    expect(await heal()).toEqual(values)
    expect(path).toBe('/v1/users/u/events?from=3&to=4')
  })

  test.each(['ERR_USER_EVENTS_GONE', 'ERR_USER_NOT_FOUND'])('%s is for good', async (code) => {
    answer = { status: 410, body: JSON.stringify({ code }) }
    await expect(heal()).rejects.toThrow(EventsGoneError)
  })

  test.each([
    ['another problem', 404, '{"code":"ERR_ROUTE_UNKNOWN"}'],
    ['a page of a proxy', 502, '<html>'],
    ['an answer of another shape', 200, '{"items":[{}]}'],
  ])('%s may pass', async (_, status, body) => {
    answer = { status, body }
    await expect(heal()).rejects.toMatchObject(unavailable)
  })

  test('an answer without end is cut', async () => {
    answer = { status: 200, body: ' '.repeat(1_000) }
    await expect(heal({ maxBytes: 999 })).rejects.toMatchObject(unavailable)
  })
})
