import { history, userCreated } from '@rollcall/events/testing'
import { defineProjection, pgStore } from '../../src/index.js'
import { memoryLog } from '../memory-log.js'
import { byEvent, byTable, expectedRows, type Fixture, fixture, rows, run } from '../support.js'

let fixed: Fixture
beforeEach(async () => {
  fixed = await fixture()
})
afterEach(() => fixed.close())

const PARTITIONS = [0, 1, 2, 3]

/** Four partitions with a user's life in each, a store that counts its commits, and how to hand all out at once. */
function world() {
  const log = memoryLog(PARTITIONS.length)
  const lives = PARTITIONS.map((partition) => history(3 + partition))
  for (const [partition, events] of lives.entries()) log.append(partition, ...events)
  const store = pgStore(fixed.pool)
  let commits = 0
  const counting: typeof store = {
    ...store,
    async transaction(work) {
      const result = await store.transaction(work)
      commits++
      return result
    },
  }
  const deliverAll = () => Promise.all(PARTITIONS.map((partition) => log.consumers[0]?.deliver(partition, 0)))
  return { log, lives, database: counting, commits: () => commits, deliverAll }
}

const positions = async (name: string) =>
  (
    await fixed.pool.query(
      'SELECT position::int FROM projections.checkpoint WHERE projection = $1 ORDER BY partition',
      [name],
    )
  ).rows.map(({ position }) => position)

test('what arrives together is committed together, each event once', async () => {
  const { log, lives, database, commits, deliverAll } = world()
  const { projections } = run(fixed, log, [byEvent()], { database })
  await projections.start()
  await log.consumers[0]?.assign(PARTITIONS)
  const before = commits()
  await deliverAll()
  expect(commits() - before).toBe(1)
  expect(await rows(fixed.pool, 'person_by_event')).toMatchObject(expectedRows(lives.flat()))
  expect(await positions('by-event')).toEqual([3, 4, 5, 6])
})

test('a transaction takes no more events than allowed, and a partition is never split for it', async () => {
  const { log, lives, database, commits, deliverAll } = world()
  const { projections } = run(fixed, log, [byTable()], { database, maxEventsPerTransaction: 7, concurrency: 1 })
  await projections.start()
  await log.consumers[0]?.assign(PARTITIONS)
  const before = commits()
  await deliverAll()
  // 3 + 4, 5, 6
  expect(commits() - before).toBe(3)
  expect(await rows(fixed.pool, 'person')).toMatchObject(expectedRows(lives.flat()))
})

test('poison in one partition parks its user; the others commit', async () => {
  const { log, lives, database, deliverAll } = world()
  const poison = lives[1]?.[2]
  const good = byEvent()
  const projection = defineProjection({
    ...good,
    on: {
      ...good.on,
      async UserUpdated(event, context) {
        if (event.eventId === poison?.eventId) throw new Error('poison')
        await good.on.UserUpdated?.(event, context)
      },
    },
  } as typeof good)
  const { projections } = run(fixed, log, [projection], { database })
  await projections.start()
  await log.consumers[0]?.assign(PARTITIONS)
  await deliverAll()
  expect(await positions('by-event')).toEqual([3, 4, 5, 6])
  const { users } = await projections.deadLetters('by-event').list(10)
  expect(users).toMatchObject([{ userId: poison?.userId, letters: 2, partition: 1 }])
})

test('a gap in one partition parks its user in the same transaction', async () => {
  const { database, commits } = world()
  const [first, , third] = history(3)
  const lone = memoryLog(2)
  lone.append(0, first as never, third as never)
  lone.append(1, userCreated())
  const { projections } = run(fixed, lone, [byEvent()], { database })
  await projections.start()
  await lone.consumers[0]?.assign([0, 1])
  const before = commits()
  await Promise.all([0, 1].map((partition) => lone.consumers[0]?.deliver(partition, 0)))
  expect(commits() - before).toBe(1)
  expect(await positions('by-event')).toEqual([2, 1])
  expect((await projections.status())[0]).toMatchObject({ parkedUsers: 1 })
})

test('a partition that was taken over is written by its new owner only; the others commit', async () => {
  const { log, lives, database, deliverAll } = world()
  const zombie = run(fixed, log, [byEvent()], { database, controlIntervalMs: 60_000 })
  const heir = run(fixed, log, [byEvent()], { controlIntervalMs: 60_000 })
  await zombie.projections.start()
  await heir.projections.start()
  const [first, second] = log.consumers
  await first?.assign(PARTITIONS)
  await second?.assign([2])
  await deliverAll()
  expect(await positions('by-event')).toEqual([3, 4, 0, 6])
  expect(await zombie.metric('rollcall_projection_batches_fenced_total')).toBe(1)
  await second?.drain()
  expect(await rows(fixed.pool, 'person_by_event')).toMatchObject(expectedRows(lives.flat()))
})

test('a commit whose answer was lost is not repeated', async () => {
  const { log, lives, database, deliverAll } = world()
  let isLost = false
  const lossy: typeof database = {
    ...database,
    async transaction(work) {
      const result = await database.transaction(work)
      if (isLost) return result
      isLost = true
      throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
    },
  }
  const { projections } = run(fixed, log, [byEvent()], { database: lossy })
  await projections.start()
  await log.consumers[0]?.assign(PARTITIONS)
  await deliverAll()
  const { rows: counts } = await fixed.pool.query('SELECT user_id, events FROM seen')
  expect(new Map(counts.map(({ user_id, events }) => [user_id, events]))).toEqual(
    new Map(lives.map((events) => [events[0]?.userId, events.length])),
  )
})

test('a row() that throws is named by its event: no halving, one more transaction', async () => {
  const { log, lives, database } = world()
  const poison = lives[3]?.at(-1)
  const good = byTable()
  let tries = 0
  const counting: typeof database = {
    ...database,
    transaction(work) {
      tries++
      return database.transaction(work)
    },
  }
  const projection = defineProjection({
    ...good,
    table: {
      ...good.table,
      row(user: Parameters<typeof good.table.row>[0], event: Parameters<typeof good.table.row>[1]) {
        if (event.eventId === poison?.eventId) throw new Error('poison')
        return good.table.row(user, event)
      },
    },
  })
  const { projections } = run(fixed, log, [projection], { database: counting })
  await projections.start()
  await log.consumers[0]?.assign([3])
  const before = tries
  await log.consumers[0]?.deliver(3, 0)
  expect(tries - before).toBe(2)
  expect((await projections.deadLetters('by-table').list(9)).users).toMatchObject([
    { userId: poison?.userId, letters: 1 },
  ])
})
