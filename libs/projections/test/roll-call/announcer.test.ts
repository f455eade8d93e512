import { testEndpoints } from '@rollcall/dev'
import { createKafka } from '@rollcall/kafka'
import { createTestTopic, readAll } from '@rollcall/kafka/testing'
import { createMetrics } from '@rollcall/observability'
import { type LogSink, logSink, silentLogger } from '@rollcall/observability/testing'
import { type ProjectionStatus, systemClock } from '../../src/index.js'
import { announcer } from '../../src/roll-call/announcer.js'
import { until } from '../support.js'

const kafka = createKafka(
  { KAFKA_BROKERS: testEndpoints().kafka.split(',') },
  { logger: silentLogger, metrics: createMetrics('test') },
)
afterAll(() => kafka.close())

const PEOPLE: ProjectionStatus = {
  name: 'people',
  version: 2,
  topic: 'users.lifecycle.v1',
  state: 'running',
  lagRecords: 2,
  lagSeconds: 0,
  parkedUsers: 1,
  rebuild: null,
  sides: [],
  partitions: [
    {
      partition: 0,
      position: 3,
      highWatermark: 5,
      lagRecords: 2,
      lagSeconds: 0,
      state: 'running',
      claimedBy: 'a',
      failure: null,
    },
  ],
}

let topic: string
let status: ProjectionStatus
let log: LogSink
let running: ReturnType<typeof announcer>
beforeEach(async () => {
  topic = await createTestTopic(kafka, { partitions: 2, prefix: 'subscribers' })
  status = PEOPLE
  log = logSink()
})
afterEach(() => running.close())

function announce({ at = topic, waitMs = 5 } = {}) {
  running = announcer({
    kafka,
    service: 'directory',
    url: () => 'http://127.0.0.1:1',
    topic: at,
    instance: 'host:1',
    groupId: 'directory',
    status: async () => [status],
    logger: log.logger,
    clock: {
      ...systemClock,
      wait: (ms, signal) => systemClock.wait(ms === 1_000 ? waitMs : ms, signal),
    },
  })
  running.start()
}

const spoken = async () =>
  (await readAll(kafka, topic)).map(({ key, value }) => ({
    key,
    value: value === null ? null : JSON.parse(value.toString()),
  }))

test('a running projection says who and where it is, and how far', async () => {
  announce()
  await until(async () => (await spoken()).length > 0)
  expect((await spoken())[0]).toEqual({
    key: 'directory/people/host:1',
    value: {
      service: 'directory',
      projection: 'people',
      version: 2,
      instance: 'host:1',
      url: 'http://127.0.0.1:1',
      topic: 'users.lifecycle.v1',
      groupId: 'directory.people',
      state: 'running',
      partitions: [{ partition: 0, position: 3, highWatermark: 5 }],
      parkedUsers: 1,
      at: expect.stringMatching(/^\d{4}-.*Z$/),
    },
  })
})

test('news are said at once; the same again only every five seconds', async () => {
  announce()
  await until(async () => (await spoken()).length > 0)
  status = { ...PEOPLE, parkedUsers: 2 }
  await until(async () => (await spoken()).length > 1)
  status = { ...PEOPLE, state: 'paused' }
  await until(async () => (await spoken()).some(({ value }) => value.state === 'paused'))
  expect((await spoken()).map(({ value }) => [value.parkedUsers, value.state])).toEqual([
    [1, 'running'],
    [2, 'running'],
    [1, 'paused'],
  ])
  // Hundreds of looks later it has spoken once more.
  await until(async () => (await spoken()).length > 3)
  const [said, again] = (await spoken()).slice(-2).map(({ value }) => Date.parse(value.at))
  expect(Number(again) - Number(said)).toBeGreaterThanOrEqual(4_500)
})

test('a clean end leaves a tombstone', async () => {
  announce()
  await until(async () => (await spoken()).length > 0)
  await running.close()
  expect((await spoken()).at(-1)).toEqual({ key: 'directory/people/host:1', value: null })
})

test('a missing topic is warned of once, and keeps nobody from closing', async () => {
  announce({ at: `${topic}.missing`, waitMs: 1 })
  await until(() => log.lines().some(({ level }) => level === 'warn'))
  await running.close()
  expect(log.lines().filter(({ msg }) => msg === 'projections cannot be announced')).toHaveLength(1)
})
