import { randomUUID } from 'node:crypto'
import type { PoolClient } from '@rollcall/database'
import { testEndpoints } from '@rollcall/dev'
import {
  cloudEventHeaders,
  createCodec,
  MAX_EVENT_BYTES,
  type UserLifecycleEvent,
  userLifecycle,
} from '@rollcall/events'
import { history, userCreated } from '@rollcall/events/testing'
import { createKafka, encodeRecordBody } from '@rollcall/kafka'
import { createTestTopic, sendGzipped } from '@rollcall/kafka/testing'
import { createMetrics } from '@rollcall/observability'
import { silentLogger } from '@rollcall/observability/testing'
import { defineProjection, pgStore, type RunProjectionsOptions, runProjections } from '../src/index.js'
import { type Fixture, fixture, metricOf, until as untilWithin } from './support.js'

// What anybody who may write to the topic can put there, through real Kafka, schema registry and Postgres.
type Event = UserLifecycleEvent

const endpoints = testEndpoints()
const brokers = endpoints.kafka.split(',')
const kafka = createKafka({ KAFKA_BROKERS: brokers }, { logger: silentLogger, metrics: createMetrics('test') })
const codec = createCodec(userLifecycle, { schemaRegistryUrl: endpoints.schemaRegistry, register: true })
const producer = kafka.producer()
let fixed: Fixture
let topicName: string

beforeAll(async () => {
  await codec.ready()
  await producer.connect()
})
afterAll(async () => {
  await producer.close()
  await kafka.close()
})
beforeEach(async () => {
  fixed = await fixture()
  topicName = await createTestTopic(kafka, { config: { 'max.message.bytes': '8388608' } })
})
afterEach(() => fixed.close())

/** A handler with what it may say, good and bad, about a user. */
const people = (failure: (event: Event) => string | undefined = () => undefined) =>
  defineProjection<Event, PoolClient>({
    name: 'people',
    version: 1,
    topic: { ...userLifecycle, name: topicName },
    async onBatch({ events }, { tx }) {
      for (const event of events) {
        const problem = failure(event)
        if (problem !== undefined) throw new Error(problem)
      }
      await tx.query(
        'INSERT INTO seen AS s SELECT u, count(*) FROM unnest($1::uuid[]) u GROUP BY u ON CONFLICT (user_id) DO UPDATE SET events = s.events + excluded.events',
        [events.map(({ userId }) => userId)],
      )
    },
    reset: ({ tx }) => tx.query('DELETE FROM seen'),
  })

interface Hostile {
  readonly key?: string | null
  readonly value?: Buffer
  readonly headers?: Readonly<Record<string, string | Buffer>>
  readonly timestampMs?: number
}

async function send({ key = null, value = Buffer.from('junk'), headers = {}, timestampMs = Date.now() }: Hostile) {
  await producer.send(topicName, [{ partition: 0, body: encodeRecordBody({ key, value, headers }), timestampMs }])
}

const sendEvent = (event: Event, over: Hostile = {}) =>
  send({
    key: event.userId,
    value: codec.encode(event),
    headers: cloudEventHeaders(event, { source: '/test' }),
    ...over,
  })

async function start(options: Partial<RunProjectionsOptions<Event, PoolClient>> = {}, projection = people()) {
  const metrics = createMetrics('test')
  const projections = runProjections([projection], {
    kafka,
    database: pgStore(fixed.pool),
    codec: createCodec(userLifecycle, { schemaRegistryUrl: endpoints.schemaRegistry }),
    logger: silentLogger,
    metrics,
    groupId: topicName,
    controlIntervalMs: 50,
    ...options,
  })
  fixed.running.add(projections)
  await projections.start()
  return { projections, metrics, letters: projections.deadLetters('people') }
}

const until = (holds: () => boolean | Promise<boolean>) => untilWithin(holds, 60_000)

const seen = async () => {
  const { rows } = await fixed.pool.query<{ user_id: string }>('SELECT user_id FROM seen ORDER BY user_id')
  return rows.map(({ user_id }) => user_id)
}

/** A schema as nobody of us would write it, in the real registry. */
async function hostileSchema(fields: readonly object[]): Promise<number> {
  const schema = { type: 'record', name: 'UserUpdated', namespace: 'io.rollcall.users', fields }
  const response = await fetch(`${endpoints.schemaRegistry}/subjects/hostile-${randomUUID()}/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ schemaType: 'AVRO', schema: JSON.stringify(schema) }),
  })
  const { id } = (await response.json()) as { id: number }
  expect(id).toBeGreaterThan(0)
  return id
}

const framed = (id: number, ...bytes: number[]) => Buffer.from([0, id >> 24, id >> 16, id >> 8, id, ...bytes])

test('each kind of undecodable record is parked under its user, and everybody else flows', async () => {
  const bomb = await hostileSchema([{ name: 'claims', type: { type: 'array', items: 'null' } }])
  const endless = await hostileSchema([{ name: 'next', type: ['null', 'UserUpdated'] }])
  const map = await hostileSchema([{ name: 'pairs', type: { type: 'map', values: 'int' } }])
  const texts = await hostileSchema([{ name: 'texts', type: { type: 'array', items: 'string' } }])
  const real = codec.encode(userCreated())
  const kinds: Readonly<Record<string, Buffer>> = {
    'bad magic': Buffer.from('{"userName":"json"}'),
    'no bytes at all': Buffer.alloc(0),
    'an id the registry does not know': framed(2_000_000_000, 1, 2, 3),
    'an array of 10^8 nulls in 5 bytes': framed(bomb, 0x80, 0x84, 0xaf, 0x5f, 0),
    'a record in a record in a record': framed(endless, ...Array.from({ length: 20_000 }, () => 2)),
    'a map of 2^31 pairs': framed(map, 0x80, 0x80, 0x80, 0x80, 0x10),
    'an array of 2^31 texts': framed(texts, 0x80, 0x80, 0x80, 0x80, 0x10),
    'a text of 2^31 bytes': Buffer.concat([real.subarray(0, 5), Buffer.from([0x80, 0x80, 0x80, 0x80, 0x10])]),
    'cut short': real.subarray(0, 60),
    'too long': Buffer.concat([real, Buffer.from('tail')]),
    oversize: Buffer.concat([real, Buffer.alloc(MAX_EVENT_BYTES)]),
    'a user id that is no UUID': replaced(userCreated(), '\0'.repeat(36)),
  }
  const good: Event[] = []
  const victims = new Map<string, string>()
  for (const [kind, value] of Object.entries(kinds)) {
    const [first, second] = history(2) as [Event, Event]
    victims.set(first.userId, kind)
    const neighbour = userCreated()
    good.push(first, neighbour)
    await sendEvent(first)
    await sendEvent(second, { value })
    await sendEvent(neighbour)
  }

  const { letters, metrics } = await start()
  await until(async () => (await letters.list(100)).totalUsers === victims.size)
  const { users, unnamed } = await letters.list(100)
  expect(users.map(({ userId }) => victims.get(userId)).sort()).toEqual([...victims.values()].sort())
  expect(unnamed).toEqual([])
  for (const { failures } of users) expect(failures[0]).toMatchObject({ code: 'ERR_PROJECTION_EVENT_UNREADABLE' })
  await until(async () => (await seen()).length === good.length)
  expect(await seen()).toEqual(good.map(({ userId }) => userId).sort())
  expect(await metricOf(metrics, 'rollcall_projection_partitions_stopped')).toBe(0)
  // Of the oversize record nothing is kept but where it stands.
  const { rows } = await fixed.pool.query<{ most: number }>(
    'SELECT max(octet_length(value))::int AS most FROM projections.dead_letter',
  )
  expect(rows[0]?.most).toBeLessThanOrEqual(MAX_EVENT_BYTES)
})

/** The event with other bytes where its user id stands. */
function replaced(event: Event, userId: string): Buffer {
  const value = codec.encode(event)
  for (let at = value.indexOf(event.userId); at >= 0; at = value.indexOf(event.userId, at))
    value.write(userId, at, 'latin1')
  return value
}

test('a record without a user is parked by its offset, whatever its key, headers and time say', async () => {
  const junk: readonly Hostile[] = [
    {},
    { key: 'no uuid' },
    { key: '\0'.repeat(36) },
    { headers: { ce_subject: 'nobody', ce_id: '\0\0', ce_sequence: '99999999999999999999' } },
    { headers: { ce_id: Buffer.alloc(100_000, 0x41), ce_sequence: Buffer.from([0xff, 0xff]) } },
    { timestampMs: 2 ** 52 },
  ]
  const sent: Hostile[] = []
  for (const one of junk) {
    // The broker refuses some of it itself.
    if (
      await send(one).then(
        () => true,
        () => false,
      )
    )
      sent.push(one)
  }
  const good = userCreated()
  await sendEvent(good)
  const { letters } = await start()
  await until(async () => (await seen()).length === 1)
  const { users, unnamed } = await letters.list(100)
  expect(users).toEqual([])
  expect(unnamed.map(({ offset }) => offset)).toEqual(sent.map((_, offset) => offset))
  expect(sent.length).toBeGreaterThanOrEqual(5)
  await fixed.pool.query('SELECT event_id FROM projections.dead_letter')
})

test('a gzip bomb is parked by its offset without being unpacked; a gzipped batch of events is read', async () => {
  const [one, two] = [userCreated(), userCreated()]
  const message = (event: Event) => ({
    key: event.userId,
    value: codec.encode(event),
    headers: cloudEventHeaders(event, { source: '/test' }),
  })
  await sendGzipped(brokers, topicName, 0, [message(one)])
  await sendGzipped(brokers, topicName, 0, [
    { key: randomUUID(), value: Buffer.alloc(40 * 1_048_576) },
    { key: randomUUID(), value: Buffer.alloc(40 * 1_048_576) },
  ])
  await sendGzipped(brokers, topicName, 0, [message(two)])
  const { letters } = await start()
  await until(async () => (await seen()).length === 2)
  const { unnamed, users } = await letters.list(10)
  expect(users).toEqual([])
  expect(unnamed).toMatchObject([{ offset: 2, failure: { message: expect.stringContaining('offsets 1 to 2') } }])
})

test('a schema registry that is away is waited for, and so is one that refuses; one that says "no such schema" parks', async () => {
  const [event, other] = [userCreated(), userCreated()]
  await sendEvent(event)
  const states: string[] = []
  let answer: 'away' | 'refuses' | 'knows' = 'away'
  const real = createCodec(userLifecycle, { schemaRegistryUrl: endpoints.schemaRegistry })
  const away = createCodec(userLifecycle, { schemaRegistryUrl: 'http://127.0.0.1:9/apis/ccompat/v7' })
  const refuses = createCodec(userLifecycle, { schemaRegistryUrl: `${endpoints.schemaRegistry}/nowhere` })
  const decode = (value: Buffer) => {
    states.push(answer)
    return { away, refuses, knows: real }[answer].decode(value)
  }
  const { letters } = await start({ codec: { decode } })
  await until(() => states.filter((state) => state === 'away').length >= 2)
  answer = 'refuses'
  await until(() => states.filter((state) => state === 'refuses').length >= 2)
  expect(await letters.list(10)).toMatchObject({ totalUsers: 0, unnamed: [] })
  answer = 'knows'
  await until(async () => (await seen()).length === 1)
  const unknown = framed(2_000_000_000, 1)
  await sendEvent(other, { value: unknown })
  await until(async () => (await letters.list(10)).totalUsers === 1)
  expect((await letters.show(other.userId)).failures[0]?.message).toContain('ERR_SCHEMA_UNKNOWN')
})

test('a failure whose words no database stores parks its user all the same', async () => {
  const [bad, good] = [userCreated(), userCreated()]
  await sendEvent(bad)
  await sendEvent(good)
  const say = (event: Event) => (event.userId === bad.userId ? `\0 \ud800 ${'x'.repeat(2e6)}` : undefined)
  const { letters } = await start({}, people(say))
  await until(async () => (await seen()).length === 1 && (await letters.list(10)).totalUsers === 1)
  expect((await letters.show(bad.userId)).failures[0]?.message.length).toBeLessThan(2_000)
})

test('beyond the limit of records that name no user the partition stops, and what fits stays', async () => {
  for (let index = 0; index < 5; index++) await send({})
  const { projections, letters } = await start({ maxParkedUsers: 3 })
  await until(async () => (await projections.status())[0]?.partitions[0]?.failure != null)
  const failure = (await projections.status())[0]?.partitions[0]?.failure
  expect(failure).toMatchObject({ code: 'ERR_PROJECTION_PARKING_FULL', offset: 3 })
  expect((await letters.list(10)).unnamed).toHaveLength(3)
})
