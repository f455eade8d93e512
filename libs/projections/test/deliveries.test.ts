import { randomUUID } from 'node:crypto'
import { RollcallError } from '@rollcall/errors'
import { userLifecycle } from '@rollcall/events'
import { history, userCreated } from '@rollcall/events/testing'
import { defineProjection, pgStore, systemClock } from '../src/index.js'
import { memoryLog } from './memory-log.js'
import {
  byBatch,
  byEvent,
  byTable,
  expectedRows,
  type Fixture,
  fixture,
  ownPool,
  rows,
  run,
  seenEvents,
  until,
} from './support.js'

// The log is scripted: what a broker does once in a million deliveries happens here on demand. The database is real.
let fixed: Fixture
beforeEach(async () => {
  fixed = await fixture()
})
afterEach(() => fixed.close())

const seen = (userId: string | undefined) => seenEvents(fixed.pool, userId)
const checkpoint = async (name: string, partition = 0) => {
  const text = 'SELECT * FROM projections.checkpoint WHERE projection = $1 AND partition = $2'
  return (await fixed.pool.query(text, [name, partition])).rows[0]
}

test('each effect happens once, whatever is redelivered, republished or cut', async () => {
  const log = memoryLog(2)
  const [a, b, c] = [history(9), history(4), history(7)] as const
  log.append(0, ...a, ...b)
  log.append(1, ...c)
  const { projections, metric } = run(fixed, log, [byEvent()], { maxEventsPerTransaction: 3 })
  await projections.start()
  const [consumer] = log.consumers
  await consumer?.assign([0, 1])
  await consumer?.deliver(0, 0, { to: 5 })
  await consumer?.deliver(0, 0) // The same records again, and more.
  await consumer?.drain()
  log.append(0, ...a.map((event) => ({ ...event, eventId: randomUUID() }))) // The relay crashed and sent again.
  await consumer?.drain()

  for (const events of [a, b, c]) expect(await seen(events[0]?.userId)).toBe(events.length)
  expect(await rows(fixed.pool, 'person_by_event')).toMatchObject(expectedRows([...a, ...b, ...c]))
  expect(await metric('rollcall_projection_events_applied_total')).toBe(20)
  expect(await metric('rollcall_projection_duplicates_skipped_total')).toBe(9)
  await projections.close()
})

test('the three forms end in the same rows', async () => {
  const log = memoryLog(1)
  const all = Array.from({ length: 30 }, (_, n) => history(1 + (n % 7))).flat()
  log.append(0, ...all)
  const { projections } = run(fixed, log, [byEvent(), byBatch(), byTable()], { maxEventsPerTransaction: 20 })
  await projections.start()
  for (const consumer of log.consumers) {
    await consumer.assign([0])
    await consumer.drain()
  }
  const wanted = await rows(fixed.pool, 'person_by_event')
  expect(wanted).toMatchObject(expectedRows(all))
  expect(await rows(fixed.pool, 'person_by_batch')).toEqual(wanted)
  expect(await rows(fixed.pool, 'person')).toEqual(wanted)
  await projections.close()
})

test('a zombie writes nothing: its claim was taken over', async () => {
  const log = memoryLog(1)
  const events = history(6)
  log.append(0, ...events)
  const zombie = run(fixed, log, [byEvent()], { controlIntervalMs: 60_000 })
  const heir = run(fixed, log, [byEvent()])
  await zombie.projections.start()
  await heir.projections.start()
  const [first, second] = log.consumers
  await first?.assign([0])
  await first?.deliver(0, 0, { to: 2 })
  await second?.assign([0])
  await first?.deliver(0, 2, { to: 4, isStale: () => false })
  expect(await seen(events[0]?.userId)).toBe(2)
  expect(await zombie.metric('rollcall_projection_batches_fenced_total')).toBe(1)

  await second?.drain()
  await first?.deliver(0, 4, { isStale: () => false })
  expect(await seen(events[0]?.userId)).toBe(6)
  expect(await checkpoint('by-event')).toMatchObject({ position: 6, epoch: 2 })
  await zombie.projections.close()
  await heir.projections.close()
})

test('a commit whose answer was lost is not repeated', async () => {
  const log = memoryLog(1)
  const events = history(6)
  log.append(0, ...events)
  const store = pgStore(fixed.pool)
  let losses = 2
  const lossy: typeof store = {
    ...store,
    async transaction(work) {
      const result = await store.transaction(work)
      if (losses-- > 0) throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
      return result
    },
  }
  const { projections, metric } = run(fixed, log, [byEvent()], { database: lossy, maxEventsPerTransaction: 2 })
  await projections.start()
  await log.consumers[0]?.assign([0])
  await log.consumers[0]?.drain()
  expect(await seen(events[0]?.userId)).toBe(6)
  expect(await metric('rollcall_projection_batches_fenced_total')).toBe(0)
  expect(await checkpoint('by-event')).toMatchObject({ position: 6, failure: null })
  await projections.close()
})

test.each([
  ['and nothing new arrives', 0],
  ['and more arrives at once', 2],
])('a database that went back, as after a fail-over that lost commits, is caught up with, %s', async (_, more) => {
  const log = memoryLog(1)
  const events = history(6)
  log.append(0, ...events)
  const { projections } = run(fixed, log, [byEvent()])
  await projections.start()
  const [consumer] = log.consumers
  await consumer?.assign([0])
  await consumer?.drain()
  expect(await seen(events[0]?.userId)).toBe(6)
  await fixed.pool.query(`
    UPDATE projections.checkpoint SET position = 4;
    UPDATE projections."applied_version_by-event" SET version = 4;
    UPDATE seen SET events = 4`)
  const others = history(more)
  log.append(0, ...others)
  await until(async () => {
    await consumer?.drain()
    return (await checkpoint('by-event')).position === 6 + more
  })
  expect(await seen(events[0]?.userId)).toBe(6)
  expect(await projections.deadLetters('by-event').list(10)).toMatchObject({ users: [] })
  await projections.close()
})

test('a connection killed between effect and commit loses nothing and doubles nothing', async () => {
  const log = memoryLog(1)
  const events = history(4)
  log.append(0, ...events)
  const mortal = ownPool(fixed, 'mortal')
  const store = pgStore(mortal)
  let kills = 2
  const deadly: typeof store = {
    ...store,
    transaction: (work) =>
      store.transaction(async (transaction) => {
        const result = await work(transaction)
        if (kills-- > 0) await transaction.tx.query('SELECT pg_terminate_backend(pg_backend_pid())')
        return result
      }),
  }
  const { projections, metric } = run(fixed, log, [byEvent()], { database: deadly })
  await projections.start()
  await log.consumers[0]?.assign([0])
  await log.consumers[0]?.drain()
  expect(await seen(events[0]?.userId)).toBe(4)
  expect(await metric('rollcall_projection_retries_total')).toBe(2)
  await projections.close()
  await mortal.end()
})

test('records that were passed over are asked for again, real holes are accepted', async () => {
  const log = memoryLog(1)
  const events = history(6)
  log.append(0, ...events)
  const { projections, log: lines } = run(fixed, log, [byEvent()])
  await projections.start()
  const [consumer] = log.consumers
  await consumer?.assign([0])
  await consumer?.deliver(0, 3)
  expect(await seen(events[0]?.userId)).toBe(0)
  expect(lines.lines().some(({ msg }) => msg === 'projection asks again for a skipped stretch')).toBe(true)
  await consumer?.drain()
  expect(await seen(events[0]?.userId)).toBe(6)

  const others = history(3)
  log.append(0, ...others, ...history(2))
  log.compact(0, 6, 9)
  await consumer?.drain()
  expect(await checkpoint('by-event')).toMatchObject({ position: 11, failure: null })
  expect(await seen(others[0]?.userId)).toBe(0)
  await projections.close()
})

test.each(['on', 'onBatch', 'table'])(
  'a handler that fails for good (%s) parks its user, and nobody else',
  async (form) => {
    const refuse = (table: string) => `ALTER TABLE ${table} ADD CHECK (user_name <> 'refused@example.org')`
    await fixed.pool.query(['person', 'person_by_event', 'person_by_batch'].map(refuse).join(';'))
    const log = memoryLog(1)
    const poison = userCreated({ user: { userName: 'refused@example.org' } })
    const people = (count: number) => Array.from({ length: count }, () => userCreated())
    log.append(0, ...people(37), poison, ...people(20))
    const projection = form === 'on' ? byEvent() : form === 'onBatch' ? byBatch() : byTable()
    const table = form === 'on' ? 'person_by_event' : form === 'onBatch' ? 'person_by_batch' : 'person'
    const { projections, log: lines } = run(fixed, log, [projection])
    await projections.start()
    await log.consumers[0]?.assign([0])
    await log.consumers[0]?.drain()
    expect((await rows(fixed.pool, table)).length).toBe(57)
    const failure = { code: 'ERR_PROJECTION_HANDLER_FAILED', offset: 37, eventId: poison.eventId, seenVersion: 1 }
    const message = expect.stringContaining('23514')
    expect(await checkpoint(projection.name)).toMatchObject({ position: 58, failure: null })
    const { users, unnamed } = await projections.deadLetters(projection.name).list(10)
    expect(users).toMatchObject([{ userId: poison.userId, letters: 1, failures: [{ ...failure, message }] }])
    expect(unnamed).toEqual([])
    expect(lines.text()).not.toContain('refused@example.org')
    await projections.checkProgress()
    await projections.close()
  },
)

test('a registry of schemas that is away only delays', async () => {
  const log = memoryLog(1)
  const events = history(3)
  log.append(0, ...events)
  let failures = 3
  const codec = {
    decode(value: Buffer) {
      if (failures-- > 0) throw new RollcallError({ code: 'ERR_REGISTRY_AWAY', message: 'away', retryable: true })
      return log.codec.decode(value)
    },
  }
  const { projections, metric } = run(fixed, log, [byEvent()], { codec })
  await projections.start()
  await log.consumers[0]?.assign([0])
  await log.consumers[0]?.drain()
  expect(await seen(events[0]?.userId)).toBe(3)
  expect(await metric('rollcall_projection_retries_total')).toBe(3)
  await projections.close()
})

test('a handler error that calls itself retryable is tried a bounded number of times', async () => {
  const log = memoryLog(1)
  log.append(0, userCreated())
  let tries = 0
  const projection = defineProjection({
    name: 'away',
    version: 1,
    topic: userLifecycle,
    on: {
      UserCreated() {
        tries++
        throw new RollcallError({ code: 'ERR_MAIL_AWAY', message: 'The mail service is away.', retryable: true })
      },
    },
    reset: () => {},
  })
  const { projections } = run(fixed, log, [projection], { maxHandlerAttempts: 3 })
  await projections.start()
  await log.consumers[0]?.assign([0])
  await log.consumers[0]?.drain()
  expect(tries).toBe(3)
  const { users } = await projections.deadLetters('away').list(10)
  expect(users[0]?.failures[0]?.message).toContain('ERR_MAIL_AWAY')
  await projections.close()
})

test('pause and resume reach every process, and what was cut by a pause is read again', async () => {
  const log = memoryLog(1)
  const events = history(6)
  log.append(0, ...events.slice(0, 2))
  const asking = run(fixed, log, [byEvent()])
  const working = run(fixed, log, [byEvent()])
  await asking.projections.start()
  await working.projections.start()
  const consumer = log.consumers[1]
  await consumer?.assign([0])
  await consumer?.drain()
  await asking.projections.pause('by-event')
  await until(() => consumer?.isPaused(0) === true, 1_000)
  log.append(0, ...events.slice(2))
  await consumer?.deliver(0, 2, { to: 4 }) // Was on its way when the pause came.
  expect(await seen(events[0]?.userId)).toBe(2)
  expect((await working.projections.status())[0]).toMatchObject({ state: 'paused', lagRecords: 4 })
  await working.projections.checkProgress()

  await asking.projections.resume('by-event')
  await until(() => consumer?.isPaused(0) === false, 1_000)
  await consumer?.drain()
  expect(await seen(events[0]?.userId)).toBe(6)
  await asking.projections.close()
  await working.projections.close()
})

test('a newer version rebuilds once, and processes of the older one step back', async () => {
  const log = memoryLog(1)
  const events = history(4)
  log.append(0, ...events.slice(0, 2))
  const old = run(fixed, log, [byEvent('people', 1)])
  await old.projections.start()
  await log.consumers[0]?.assign([0])
  await log.consumers[0]?.drain()

  const next = run(fixed, log, [byEvent('people', 2)])
  await next.projections.start()
  await until(() => old.log.lines().some(({ msg }) => msg === 'projection stands back'))
  await expect(old.projections.checkProgress()).rejects.toMatchObject({ code: 'ERR_PROJECTION_VERSION_OUTDATED' })
  await log.consumers[0]?.deliver(0, 0, { isStale: () => false })
  expect(await seen(events[0]?.userId)).toBe(0)

  await log.consumers[1]?.assign([0])
  log.append(0, ...events.slice(2))
  await log.consumers[1]?.drain()
  expect(await seen(events[0]?.userId)).toBe(4)
  await until(async () => (await next.projections.status())[0]?.rebuild?.phase === 'done')
  expect((await next.projections.status())[0]).toMatchObject({ version: 2, state: 'running' })
  await old.projections.close()
  await next.projections.close()
})

test('lag without progress turns readiness red', async () => {
  const log = memoryLog(1)
  log.append(0, ...history(3))
  let now = 1_000_000
  const clock = { ...systemClock, now: () => now, wait: () => new Promise<void>((resolve) => setTimeout(resolve, 5)) }
  const { projections } = run(fixed, log, [byEvent()], { clock, stuckAfterMs: 1_000 })
  await projections.start()
  await expect(projections.checkProgress()).rejects.toThrow('has not joined')
  await log.consumers[0]?.assign([0])
  await projections.checkProgress()
  now += 1_500
  await expect(projections.checkProgress()).rejects.toThrow('3 records behind')
  await log.consumers[0]?.drain()
  await projections.checkProgress()
  await projections.close()
})

test('a definition or a row that cannot be used is said at once', async () => {
  const like = byTable()
  expect(() => defineProjection({ ...like, name: 'Not good' })).toThrow('lower case')
  expect(() => defineProjection({ ...like, version: 0 })).toThrow('whole number')
  const log = memoryLog(1)
  expect(() => run(fixed, log, [byTable(), byTable()])).toThrow('two projections')

  const [first, second] = [userCreated(), userCreated()] as const
  log.append(0, first, second)
  const row: typeof like.table.row = (user, event) => ({
    ...like.table.row(user, event),
    ...(event.userId === second.userId ? { extra: 1 } : {}),
  })
  const { projections } = run(fixed, log, [defineProjection({ ...like, table: { ...like.table, row } })])
  await expect(projections.pause('nobody')).rejects.toMatchObject({ code: 'ERR_PROJECTION_UNKNOWN' })
  await projections.start()
  await log.consumers[0]?.assign([0])
  await log.consumers[0]?.drain()
  const { users } = await projections.deadLetters('by-table').list(2)
  expect(users).toMatchObject([{ failures: [{ message: expect.stringContaining('extra') }] }])
  await projections.close()
})
