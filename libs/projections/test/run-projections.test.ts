import { setTimeout as delay } from 'node:timers/promises'
import type { PoolClient } from '@rollcall/database'
import { createTestDatabase, type TestDatabase } from '@rollcall/database/testing'
import { testEndpoints } from '@rollcall/dev'
import { cloudEventHeaders, createCodec, type UserLifecycleEvent, userLifecycle } from '@rollcall/events'
import { history, userCreated, userDeleted, userUpdated } from '@rollcall/events/testing'
import { createKafka, encodeRecordBody, type KafkaClient, partitionOf } from '@rollcall/kafka'
import { createTestTopic } from '@rollcall/kafka/testing'
import { createMetrics } from '@rollcall/observability'
import { type LogSink, logSink, silentLogger } from '@rollcall/observability/testing'
import { defineProjection, type Projection } from '../src/define-projection.js'
import { projectionMigrations } from '../src/migrations.js'
import { type RunningProjections, runProjections } from '../src/run-projections.js'
import { pgStore } from '../src/store/pg-store.js'
import type { ProjectionStore } from '../src/store/projection-store.js'

const PARTITIONS = 3
type Event = UserLifecycleEvent

const kafka: KafkaClient = createKafka(
  { KAFKA_BROKERS: testEndpoints().kafka.split(',') },
  { logger: silentLogger, metrics: createMetrics('test') },
)
const codec = createCodec(userLifecycle, { schemaRegistryUrl: testEndpoints().schemaRegistry, register: true })
const producer = kafka.producer()

let database: TestDatabase
let topicName: string
let running: RunningProjections[]
let log: LogSink

beforeAll(async () => {
  await codec.ready()
  await producer.connect()
})

afterAll(async () => {
  await producer.close()
  await kafka.close()
})

beforeEach(async () => {
  database = await createTestDatabase({ migrations: [projectionMigrations] })
  await database.pool.query(`
    CREATE TABLE person (user_id uuid PRIMARY KEY, user_name text NOT NULL, emails jsonb NOT NULL, version bigint NOT NULL);
    CREATE INDEX person_name ON person (user_name);
    CREATE TABLE effect (user_id uuid PRIMARY KEY, count bigint NOT NULL)`)
  topicName = await createTestTopic(kafka, { partitions: PARTITIONS })
  running = []
  log = logSink()
})

afterEach(async () => {
  await Promise.all(running.map((one) => one.close()))
  await database.close()
})

const topic = () => ({ ...userLifecycle, name: topicName })

async function send(events: readonly Event[]): Promise<void> {
  const records = events.map((event) => ({
    partition: partitionOf(Buffer.from(event.userId), PARTITIONS),
    body: encodeRecordBody({
      key: event.userId,
      value: codec.encode(event),
      headers: cloudEventHeaders(event, { source: '/test' }),
    }),
    timestampMs: Date.now(),
  }))
  await producer.send(topicName, records)
}

const tablePeople = () =>
  defineProjection<Event>({
    name: 'people',
    version: 1,
    topic: topic(),
    table: {
      name: 'person',
      key: 'user_id',
      row: (user) =>
        user.status === 'deleted' ? null : { user_name: user.userName, emails: user.emails, version: user.version },
    },
  })

const countEffects = (fail: (event: Event) => unknown = () => {}) =>
  defineProjection<Event>({
    name: 'effects',
    version: 1,
    topic: topic(),
    on: Object.fromEntries(
      ['UserCreated', 'UserUpdated', 'UserSuspended', 'UserReactivated', 'UserDeleted', 'UserRestored'].map((type) => [
        type,
        async (event: Event, { tx }: { tx: PoolClient }) => {
          await tx.query(
            'INSERT INTO effect AS e VALUES ($1, 1) ON CONFLICT (user_id) DO UPDATE SET count = e.count + 1',
            [event.userId],
          )
          await fail(event)
        },
      ]),
    ),
    reset: ({ tx }) => tx.query('DELETE FROM effect'),
  })

const countBatches = () =>
  defineProjection<Event>({
    name: 'batches',
    version: 1,
    topic: topic(),
    onBatch: ({ events }, { tx }) =>
      tx.query(
        `INSERT INTO effect AS e SELECT u, count(*) FROM unnest($1::uuid[]) u GROUP BY u
         ON CONFLICT (user_id) DO UPDATE SET count = e.count + excluded.count`,
        [events.map(({ userId }) => userId)],
      ),
    reset: ({ tx }) => tx.query('DELETE FROM effect'),
  })

async function run(
  projection: Projection<Event, PoolClient>,
  store: ProjectionStore<PoolClient> = pgStore(database.pool),
): Promise<RunningProjections> {
  const one = runProjections([projection], {
    kafka,
    database: store,
    codec,
    logger: log.logger,
    metrics: createMetrics('test'),
    groupId: topicName,
    controlIntervalMs: 50,
    maxEventsPerTransaction: 50,
  })
  running.push(one)
  await one.start()
  return one
}

async function until(what: string, holds: () => Promise<boolean> | boolean, timeoutMs = 20_000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`)
    await delay(20)
  }
}

const caughtUp = (one: RunningProjections) =>
  until('no event is left', async () => (await one.status()).every(({ lagRecords }) => lagRecords === 0))

const counts = async () => {
  const { rows } = await database.pool.query<{ user_id: string; count: string }>(
    'SELECT user_id::text, count FROM effect',
  )
  return new Map(rows.map(({ user_id, count }) => [user_id, Number(count)]))
}
const people = async () =>
  (await database.pool.query('SELECT user_id::text, user_name, emails, version::int FROM person ORDER BY user_id')).rows

/** Interleaved histories of several users, in the order of versions per user. */
function crowd(users: number, versions: number): Event[] {
  const histories = Array.from({ length: users }, (_, seed) => history(versions, { seed: seed + 1 }))
  return Array.from({ length: versions }, (_, version) => histories.flatMap((one) => one[version] ?? [])).flat()
}

const expectedCounts = (events: readonly Event[]) => new Map(events.map(({ userId, version }) => [userId, version]))

test('each event takes effect once, however often it is on the topic, over restarts', async () => {
  const events = crowd(20, 8)
  await send(events)
  const first = await run(countEffects())
  await caughtUp(first)
  await send(events)
  await first.close()
  const second = await run(countEffects())
  await caughtUp(second)
  expect(await counts()).toEqual(expectedCounts(events))
})

test('two processes share the work; one leaves in the middle, one joins: still once each', async () => {
  const events = crowd(60, 12)
  const half = events.length / 2
  const first = await run(countEffects())
  const second = await run(countEffects())
  await send(events.slice(0, half))
  await first.close()
  await send(events.slice(half))
  const third = await run(countEffects())
  await caughtUp(third)
  await second.close()
  await caughtUp(third)
  expect(await counts()).toEqual(expectedCounts(events))
}, 60_000)

test('a process that lost its partition while it worked changes nothing more', async () => {
  const created = userCreated()
  let entered: () => void = () => {}
  const inHandler = new Promise<void>((resolve) => {
    entered = resolve
  })
  let release: () => void = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  let slow = true
  await run(
    countEffects(async () => {
      if (!slow) return
      slow = false
      entered()
      await released
    }),
  )
  await send([created])
  await inHandler
  // What another process does when Kafka gives it the partition while this one still works.
  const claim = database.pool.query('UPDATE projections.checkpoint SET epoch = epoch + 1 WHERE projection = $1', [
    'effects',
  ])
  release()
  await claim
  await until('the event has its effect', async () => (await counts()).size === 1)
  expect(await counts()).toEqual(new Map([[created.userId, 1]]))
})

test('a gap parks its user only, loudly; what is missing applied, a retry brings the rest', async () => {
  const [one, two, three] = history(3, { seed: 77 }) as [Event, Event, Event]
  const others = crowd(30, 2)
  const projections = await run(countEffects())
  await send([one, three, ...others])
  await until(
    'all the others flow',
    async () => (await counts()).size === new Set(others.map(({ userId }) => userId)).size + 1,
  )
  const letters = projections.deadLetters('effects')
  await until('the user is parked', async () => (await letters.list(10)).totalUsers === 1)
  expect((await letters.show(one.userId)).failures).toMatchObject([
    {
      code: 'ERR_PROJECTION_VERSION_GAP',
      partition: partitionOf(Buffer.from(one.userId), PARTITIONS),
      eventId: three.eventId,
      knownVersion: 1,
      seenVersion: 3,
    },
  ])
  await expect(projections.checkProgress()).resolves.toBeUndefined()
  expect(log.lines().filter(({ msg }) => msg === 'user parked')).toHaveLength(1)
  expect(await letters.retry(one.userId, 'test')).toMatchObject({ applied: 0, left: 1 })
  // Mended from outside: here the missing version is recorded as applied.
  await database.pool.query('UPDATE projections.applied_version_effects SET version = 2 WHERE key = $1', [two.userId])
  expect(await letters.retry(one.userId, 'test')).toEqual({ applied: 1, left: 0, failure: null })
  expect((await counts()).get(one.userId)).toBe(2)
  expect((await projections.status())[0]).toMatchObject({ parkedUsers: 0 })
})

test.each(['effects', 'batches'])(
  'a handler that fails for good (%s) parks the user at exactly the failing event',
  async (form) => {
    const events = crowd(12, 4)
    const poison = events.find(({ version }) => version === 3) as Event
    const failing =
      form === 'effects'
        ? countEffects((event) => event.eventId === poison.eventId && Promise.reject(new Error('bug')))
        : countBatches()
    if (form === 'batches') {
      await database.pool.query(
        `ALTER TABLE effect ADD CONSTRAINT small CHECK (user_id <> '${poison.userId}' OR count < 3)`,
      )
    }
    const projections = await run(failing as Projection<Event, PoolClient>)
    await send(events)
    const letters = projections.deadLetters(failing.name)
    await until('the user is parked, with what follows', async () => (await letters.list(9)).users[0]?.letters === 2)
    const [failure] = (await letters.show(poison.userId)).failures
    expect(failure).toMatchObject({
      code: 'ERR_PROJECTION_HANDLER_FAILED',
      eventId: poison.eventId,
      userId: poison.userId,
    })
    await until(
      'the others flow',
      async () => [...(await counts()).values()].filter((count) => count === 4).length === 11,
    )
    expect((await counts()).get(poison.userId)).toBe(2)
  },
)

test('a failure of the database that passes is tried again until it has passed', async () => {
  const store = pgStore(database.pool)
  let failures = 0
  const flaky: ProjectionStore<PoolClient> = {
    ...store,
    async transaction(work) {
      // After the work, instead of the commit: the crash between effect and commit.
      return store.transaction(async (transaction) => {
        const result = await work(transaction)
        if (failures < 4) {
          failures++
          throw Object.assign(new Error('terminating connection'), { code: '57P01' })
        }
        return result
      })
    },
  }
  const events = crowd(5, 3)
  const projections = await run(countEffects(), flaky)
  await send(events)
  await caughtUp(projections)
  expect(failures).toBe(4)
  expect(await counts()).toEqual(expectedCounts(events))
})

test('a pause holds over a restart, until resumed', async () => {
  const first = await run(countEffects())
  await first.pause('effects')
  await first.close()
  const second = await run(countEffects())
  const event = userCreated()
  await send([event])
  await delay(400)
  expect((await second.status())[0]).toMatchObject({ state: 'paused', lagRecords: 1 })
  expect((await counts()).size).toBe(0)
  await second.resume('effects')
  await until('the event is applied', async () => (await counts()).size === 1)
})

test('bytes that are no event are kept aside, and hold up nobody', async () => {
  const projections = await run(countEffects())
  const event = userCreated()
  await producer.send(topicName, [
    {
      partition: partitionOf(Buffer.from(event.userId), PARTITIONS),
      timestampMs: Date.now(),
      body: encodeRecordBody({ key: 'k', value: Buffer.from('not an event'), headers: { ce_id: 'the-id' } }),
    },
  ])
  await send([event])
  await until('the event behind them is applied', async () => (await counts()).size === 1)
  const { users, unnamed } = await projections.deadLetters('effects').list(10)
  expect(users).toEqual([])
  expect(unnamed).toMatchObject([
    { offset: 0, failure: { code: 'ERR_PROJECTION_EVENT_UNREADABLE', offset: 0, eventId: 'the-id' } },
  ])
})

test('a topic that was emptied or created anew is noticed, never silently followed', async () => {
  const first = await run(countEffects())
  await send(crowd(10, 3))
  await caughtUp(first)
  await first.close()
  await database.pool.query('UPDATE projections.checkpoint SET position = position + 1000')
  const second = await run(countEffects())
  await until('all partitions have stopped', async () =>
    ((await second.status())[0]?.partitions ?? []).every(
      ({ failure }) => failure?.code === 'ERR_PROJECTION_POSITION_LOST',
    ),
  )
})

test('a read can wait for the version it wants, and is told how far behind it is', async () => {
  const projections = await run(tablePeople())
  const [one, two] = history(2, { seed: 5 }) as [Event, Event]
  const waiting = projections.waitFor(one.userId, 2, 10_000)
  await send([one, two])
  await waiting
  expect(await people()).toMatchObject([{ user_id: one.userId, version: 2 }])
  await expect(projections.waitFor(one.userId, 5, 50)).rejects.toMatchObject({
    code: 'ERR_PROJECTION_BEHIND',
    facts: { known: 2, wanted: 5, behind: 3 },
  })
})

test('a table projection keeps the last state, and a deleted user leaves and stays away', async () => {
  const created = userCreated()
  const updated = userUpdated(created)
  const deleted = userDeleted(updated)
  const projections = await run(tablePeople())
  await send([created, updated])
  await caughtUp(projections)
  expect(await people()).toEqual([
    { user_id: created.userId, user_name: updated.user.userName, emails: updated.user.emails, version: 2 },
  ])
  await send([deleted, created, updated])
  await caughtUp(projections)
  expect(await people()).toEqual([])
})

test('a rebuilt table equals the live one, keeps its indexes, and goes on', async () => {
  const events = crowd(80, 6)
  const projections = await run(tablePeople())
  await send(events)
  await caughtUp(projections)
  const live = await people()
  expect(live.length).toBeGreaterThan(50)
  await database.pool.query(
    `UPDATE person SET user_name = 'drifted'; DELETE FROM person WHERE user_id = '${live[0].user_id}'`,
  )
  await projections.rebuild('people', { cutOver: 'always', keepMs: 0 })
  await until('the rebuild is done', async () => (await projections.status())[0]?.rebuild?.phase === 'done')
  expect((await projections.status())[0]?.rebuild?.proof).toMatchObject({ differing: live.length })
  expect(await people()).toEqual(live)
  const { rows } = await database.pool.query(
    "SELECT indexname FROM pg_indexes WHERE tablename = 'person' AND schemaname = 'public' ORDER BY 1",
  )
  expect(rows.map(({ indexname }) => indexname)).toEqual(['person_name', 'person_pkey'])
  const next = userCreated({ seed: 9_001 })
  await send([next, ...events.slice(0, 50)])
  await projections.waitFor(next.userId, 1, 10_000)
  await caughtUp(projections)
  expect((await people()).filter(({ user_id }) => user_id !== next.userId)).toEqual(live)
})

test('readers and writers go on during a rebuild, and no reader sees less than before', async () => {
  const events = crowd(120, 5)
  const projections = await run(tablePeople())
  await send(events)
  await caughtUp(projections)
  const before = await people()
  let reading = true
  let least = Number.POSITIVE_INFINITY
  const reader = (async () => {
    while (reading) {
      const { rows } = await database.pool.query('SELECT count(*)::int AS n FROM person')
      least = Math.min(least, rows[0].n)
    }
  })()
  await projections.rebuild('people')
  const late = Array.from({ length: 30 }, (_, at) => userCreated({ seed: 10_000 + at }))
  for (const event of late) await send([event])
  await until('the rebuild is done', async () => (await projections.status())[0]?.rebuild?.phase === 'done')
  await caughtUp(projections)
  reading = false
  await reader
  expect(least).toBeGreaterThanOrEqual(before.length)
  expect(await people()).toHaveLength(before.length + late.length)
})

test.each([
  ['per event', countEffects],
  ['set-based', countBatches],
])('a replay of a %s projection ends where the live one was', async (_form, projection) => {
  const events = crowd(30, 5)
  const one = projection() as Projection<Event, PoolClient>
  const projections = await run(one)
  await send(events)
  await caughtUp(projections)
  await database.pool.query('UPDATE effect SET count = 99')
  await projections.rebuild(one.name)
  await until('the rebuild is done', async () => (await projections.status())[0]?.rebuild?.phase === 'done')
  expect(await counts()).toEqual(expectedCounts(events))
  expect((await projections.status())[0]?.state).toBe('running')
})
