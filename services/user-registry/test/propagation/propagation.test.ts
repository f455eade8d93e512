import { createTestDatabase, type TestDatabase } from '@rollcall/database/testing'
import { testEndpoints } from '@rollcall/dev'
import { createCodec, userLifecycle } from '@rollcall/events'
import { type App, createApp } from '@rollcall/http'
import { createKafka, encodeRecordBody } from '@rollcall/kafka'
import { createTestTopic } from '@rollcall/kafka/testing'
import { createMetrics } from '@rollcall/observability'
import { silentLogger } from '@rollcall/observability/testing'
import {
  defineProjection,
  type ProjectedEvent,
  pgStore,
  projectionMigrations,
  type RunningProjections,
  runProjections,
} from '@rollcall/projections'
import { addProjectionAdmin, PROJECTION_PROBLEMS } from '@rollcall/projections/admin'
import { uuidv7 } from 'uuidv7'
import { followSubscribers, type Subscribers } from '../../src/propagation/subscribers.js'
import { createRegistryApp } from '../../src/registry-app.js'
import { registryMigrations } from '../../src/registry-migrations.js'

const codec = createCodec(userLifecycle, { schemaRegistryUrl: testEndpoints().schemaRegistry, register: true })
const metrics = createMetrics('test')
const kafka = createKafka({ KAFKA_BROKERS: testEndpoints().kafka.split(',') }, { logger: silentLogger, metrics })
const producer = kafka.producer()
const bad = new Set<string>()

let database: TestDatabase
let readModels: TestDatabase
let topic: string
let rollCall: string
let subscribers: Subscribers
let registry: App
let downstream: App
let projections: RunningProjections
let ahead = 0
const followed = new Set<string>()
/** While true no question about users is answered. */
let isDeaf = false
let hearing: Promise<void> = Promise.resolve()

/** Does nothing but fail for the users in `bad`. */
const projection = (name: string) => {
  const handle = ({ userId }: ProjectedEvent) => {
    if (name === 'picky' && bad.has(userId)) throw new Error('not this one')
  }
  const types = ['UserCreated', 'UserUpdated', 'UserSuspended', 'UserReactivated', 'UserRestored', 'UserDeleted']
  return defineProjection({
    name,
    version: 1,
    topic: { ...userLifecycle, name: topic },
    on: Object.fromEntries(types.map((type) => [type, handle])),
    reset: () => undefined,
  })
}

beforeAll(async () => {
  await codec.ready()
  database = await createTestDatabase({ migrations: registryMigrations })
  readModels = await createTestDatabase({ migrations: [projectionMigrations] })
  topic = await createTestTopic(kafka)
  rollCall = await createTestTopic(kafka, { partitions: 2, config: { 'cleanup.policy': 'compact' } })
  let address = ''
  projections = runProjections([projection('prompt'), projection('slow'), projection('picky')], {
    kafka,
    database: pgStore(readModels.pool),
    codec,
    logger: silentLogger,
    metrics,
    groupId: topic,
    controlIntervalMs: 50,
    announce: { service: 'test', url: () => address, topic: rollCall },
  })
  const tools = { logger: silentLogger, metrics: createMetrics('downstream') }
  downstream = await createApp({ service: 'test', version: '1.0.0', problems: PROJECTION_PROBLEMS, ...tools })
  addProjectionAdmin(downstream, projections)
  downstream.addHook('preHandler', async ({ url }) => {
    if (isDeaf && url.endsWith('/progress')) await hearing
    if (url.endsWith('/applied')) followed.add(url)
  })
  address = await downstream.listen({ host: '127.0.0.1', port: 0 })
  await projections.start()

  subscribers = followSubscribers({
    kafka,
    logger: silentLogger,
    of: topic,
    topic: rollCall,
    now: () => Date.now() + ahead,
  })
  registry = await createRegistryApp({
    pool: database.pool,
    codec,
    wakeUp: { poke: () => void relay() },
    subscribers,
    logger: silentLogger,
    metrics: createMetrics('registry'),
  })
})

afterAll(async () => {
  await subscribers?.close()
  await projections?.close()
  await Promise.all([registry?.close(), downstream?.close()])
  await relaying
  await producer.close()
  await kafka.close()
  await Promise.all([database?.close(), readModels?.close()])
})

// The relay's work, without its guarantees: what is in the outbox goes to the topic, in order, once.
let shipped = '0'
let relaying: Promise<void> = Promise.resolve()
function relay(): Promise<void> {
  relaying = relaying.then(async () => {
    const { rows } = await database.pool.query<{ id: string; record: Buffer }>(
      'SELECT id::text, record FROM outbox.message WHERE id > $1 ORDER BY id',
      [shipped],
    )
    shipped = rows.at(-1)?.id ?? shipped
    await producer.send(
      topic,
      rows.map(({ record }) => ({ partition: 0, body: record, timestampMs: Date.now() })),
    )
  })
  return relaying
}

const create = async (query = '') => {
  const payload = { userName: uuidv7(), emails: [{ value: `${uuidv7()}@example.org` }] }
  return registry.inject({ method: 'POST', url: `/v1/users${query}`, payload })
}
const act = (id: string, verb: string, query = '') =>
  registry.inject({ method: 'POST', url: `/v1/users/${id}/${verb}${query}` })

interface Progress {
  readonly userId: string
  readonly version: number
  readonly subscribers: readonly {
    readonly projection: string
    readonly status: string
    readonly [key: string]: unknown
  }[]
}
const ask = async (id: string, query = '') =>
  (await registry.inject({ method: 'GET', url: `/v1/users/${id}/propagation${query}` })).json() as Progress
const statuses = async (id: string, query = '') =>
  Object.fromEntries((await ask(id, query)).subscribers.map(({ projection, status }) => [projection, status]))

async function until(holds: () => Promise<boolean>, timeoutMs = 20_000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${holds}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const announceGhost = (value: object | null) =>
  producer.send(rollCall, [
    {
      partition: 0,
      timestampMs: Date.now(),
      body: encodeRecordBody({ key: 'gone/ghost/a', value: value && JSON.stringify(value) }),
    },
  ])
const ghost = () => ({
  service: 'gone',
  projection: 'ghost',
  instance: 'a',
  topic,
  url: 'http://127.0.0.1:9',
  partitions: [],
})

test('before the roll call is read nobody claims to know, and a waiting write says pending', async () => {
  const { id } = (await create()).json()
  const answer = await registry.inject({ method: 'GET', url: `/v1/users/${id}/propagation` })
  expect([answer.statusCode, answer.json().code]).toEqual([503, 'ERR_SUBSCRIBERS_UNKNOWN'])
  const written = await act(id, 'suspend', '?wait=all&timeoutMs=50')
  expect(written.statusCode).toBe(200)
  expect(written.headers['rollcall-propagation']).toBe('pending')
})

describe('once it is read', () => {
  beforeAll(async () => {
    await announceGhost(ghost())
    subscribers.start()
    const { id } = (await create()).json()
    await until(async () => (await ask(id)).subscribers?.length === 4)
  })

  test('each subscriber is applied, pending, parked or unreachable', async () => {
    const { id } = (await create()).json()
    await until(async () => Object.values(await statuses(id)).filter((one) => one === 'applied').length === 3)
    await projections.pause('slow')
    bad.add(id)
    await act(id, 'suspend')
    await until(async () => (await statuses(id)).picky === 'parked')
    await until(async () => (await statuses(id)).prompt === 'applied')
    const progress = await ask(id)
    expect(progress).toMatchObject({ userId: id, version: 2 })
    const time = expect.stringMatching(/Z$/)
    expect(progress.subscribers).toMatchObject([
      { service: 'gone', projection: 'ghost', status: 'unreachable', version: null, since: time, instance: 'a' },
      { service: 'test', projection: 'picky', status: 'parked', version: 1, since: time },
      { service: 'test', projection: 'prompt', status: 'applied', version: 2, since: null },
      { service: 'test', projection: 'slow', status: 'pending', version: 1, since: time },
    ])
    expect(await statuses(id, '?version=1')).toEqual({
      ghost: 'unreachable',
      picky: 'applied',
      prompt: 'applied',
      slow: 'applied',
    })
    await until(async () => (await ask(id)).subscribers.find((one) => one.projection === 'slow')?.lagRecords === 1)

    bad.clear()
    await projections.deadLetters('picky').retry(id, 'test')
    await projections.resume('slow')
    await until(async () => Object.values(await statuses(id)).filter((one) => one === 'applied').length === 3)
  })

  test('a write may wait for a named set, and is told who has not', async () => {
    const { headers, statusCode } = await create('?wait=test/prompt,test/slow&timeoutMs=20000')
    expect([statusCode, headers['rollcall-propagation']]).toEqual([201, 'applied'])
    await projections.pause('slow')
    try {
      const { id } = (await create('?wait=test/prompt&timeoutMs=20000')).json()
      const behind = await registry.inject({
        method: 'PATCH',
        url: `/v1/users/${id}?wait=test/prompt,test/slow,test/nobody&timeoutMs=1000`,
        payload: {},
      })
      expect(behind.statusCode).toBe(200)
      expect(behind.headers['rollcall-propagation']).toBe('pending; waiting-for="test/slow,test/nobody"')
    } finally {
      await projections.resume('slow')
    }
  })

  test('all means every live subscriber: the silent are not waited for, but named', async () => {
    await announceGhost(ghost())
    const { id } = (await create()).json()
    await until(async () => {
      const { headers } = await act(id, 'suspend', '?wait=all&timeoutMs=1000')
      await act(id, 'reactivate')
      return /^pending; waiting-for=".*gone\/ghost/.test(String(headers['rollcall-propagation']))
    })
    ahead = 16_000
    // Whoever speaks on is heard on; the ghost said nothing since.
    await until(async () => {
      const { 'rollcall-propagation': said } = (await act(id, 'suspend', '?wait=all&timeoutMs=5000')).headers
      await act(id, 'reactivate')
      return said === 'applied; unreachable="gone/ghost"'
    })
    expect((await statuses(id)).ghost).toBe('unreachable')
    ahead = 0
  })

  test('a write that waits is answered when the subscribers say so: nobody has to be asked', async () => {
    const wait = '?wait=test/prompt,test/slow,test/picky&timeoutMs=30000'
    // The first to wait opens the streams.
    await until(async () => {
      await create(wait)
      return followed.size === 3
    })
    await create(wait)
    let hear = () => {}
    hearing = new Promise((resolve) => {
      hear = resolve
    })
    isDeaf = true
    try {
      for (let turn = 0; turn < 3; turn++) {
        expect((await create(wait)).headers['rollcall-propagation']).toBe('applied')
      }
    } finally {
      isDeaf = false
      hear()
    }
  })

  test('a write that waits for nobody but parked ones is answered at once, and told who they are', async () => {
    const { id } = (await create('?wait=test/picky&timeoutMs=20000')).json()
    bad.add(id)
    // Half a minute would be longer than this test may take.
    const stuck = await act(id, 'suspend', '?wait=test/prompt,test/picky&timeoutMs=30000')
    expect(stuck.headers['rollcall-propagation']).toBe('pending; waiting-for="test/picky"; parked="test/picky"')
    bad.clear()
    await projections.deadLetters('picky').retry(id, 'test')
    const mended = await act(id, 'reactivate', '?wait=test/picky&timeoutMs=20000')
    expect(mended.headers['rollcall-propagation']).toBe('applied')
  }, 25_000)

  test('whoever said goodbye is no subscriber any more', async () => {
    const { id } = (await create()).json()
    await announceGhost(null)
    await until(async () => !('ghost' in (await statuses(id))))
  })

  test('a subscriber of another topic, or one that cannot be read, is none of ours', async () => {
    const { id } = (await create()).json()
    await announceGhost({ ...ghost(), topic: 'another' })
    await announceGhost({ nonsense: true })
    await announceGhost({ ...ghost(), projection: 'last' })
    await until(async () => 'last' in (await statuses(id)))
    expect(await statuses(id)).not.toHaveProperty('ghost')
    await announceGhost(null)
  })

  test.each([
    ['/v1/users?wait=everybody', '/wait'],
    ['/v1/users?wait=', '/wait'],
    ['/v1/users?wait=all&timeoutMs=30001', '/timeoutMs'],
    ['/v1/users?wait=all&timeoutMs=soon', '/timeoutMs'],
    ['/v1/users?timeoutMs=100', '/timeoutMs'],
  ])('a wait that cannot be is refused before anything is written: %s', async (url, pointer) => {
    const answer = await registry.inject({ method: 'POST', url, payload: { userName: uuidv7() } })
    expect(answer.statusCode).toBe(400)
    expect(answer.json()).toMatchObject({ code: 'ERR_REQUEST_INVALID', errors: [{ pointer, in: 'query' }] })
  })

  test('a version that is not there yet is refused', async () => {
    const { id } = (await create()).json()
    const answer = await registry.inject({ method: 'GET', url: `/v1/users/${id}/propagation?version=2` })
    expect(answer.json()).toMatchObject({ status: 400, errors: [{ pointer: '/version', in: 'query' }] })
  })
})
