import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { testEndpoints } from '@rollcall/dev'
import { cloudEventHeaders, createCodec, type UserLifecycleEvent, userLifecycle } from '@rollcall/events'
import { userCreated, userUpdated } from '@rollcall/events/testing'
import { createKafka, encodeRecordBody, type KafkaClient, partitionOf } from '@rollcall/kafka'
import { createMetrics } from '@rollcall/observability'
import { silentLogger } from '@rollcall/observability/testing'
import { maskPersonalData } from '../src/mask-personal-data.js'
import { findTailStart } from '../src/tail-start.js'
import { rollcall } from './rollcall-process.js'

const PARTITIONS = 3
const { kafka: brokers, schemaRegistry } = testEndpoints()
const topic = `ops-cli-${randomUUID()}`
const other = `ops-cli-${randomUUID()}`
const codec = createCodec(userLifecycle, { schemaRegistryUrl: schemaRegistry, register: true })

let folder: string
let file: string
let kafka: KafkaClient

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rollcall-topics-'))
  file = join(folder, 'topics.json')
  await writeFile(
    file,
    JSON.stringify([{ name: topic, partitions: PARTITIONS, config: { 'cleanup.policy': 'delete' } }]),
  )
  kafka = createKafka({ KAFKA_BROKERS: brokers.split(',') }, { logger: silentLogger, metrics: createMetrics('test') })
  await codec.ready()
})
afterAll(async () => {
  await kafka.close()
  await rm(folder, { recursive: true })
})

const ask = (...args: string[]) => rollcall([...args, '--kafka', brokers, '--schema-registry', schemaRegistry])

describe('topics apply and check', () => {
  test('a missing topic is told, created, and then kept', async () => {
    const missing = await ask('topics', 'check', '--file', file)
    expect(missing).toMatchObject({ code: 1, stdout: '' })
    expect(missing.stderr).toContain(`Topic "${topic}" does not exist. Create it with "rollcall topics apply".`)
    const created = await ask('topics', 'apply', '--file', file, '--json')
    expect(created.code).toBe(0)
    expect(JSON.parse(created.stdout)).toEqual({ topics: [{ name: topic, partitions: PARTITIONS, done: 'created' }] })
    const kept = await ask('topics', 'apply', '--file', file)
    expect(kept).toMatchObject({ code: 0, stderr: '', stdout: `kept     ${topic}  3 partitions\n` })
    expect(await ask('topics', 'check', '--file', file)).toMatchObject({ code: 0 })
  })

  test('a wrong partition count is refused with the way to mend it', async () => {
    const wrong = join(folder, 'wrong.json')
    await writeFile(wrong, JSON.stringify([{ name: topic, partitions: 5 }]))
    for (const act of ['apply', 'check']) {
      const { code, stdout, stderr } = await ask('topics', act, '--file', wrong)
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
      expect(stderr).toContain(`Topic "${topic}" has partitions 3, but should have 5.`)
      expect(stderr).toMatch(/set partitions to 3 in the topics file, or stop all writers, delete the topic/)
    }
  })

  test('a file that is wrong is wrong usage', async () => {
    const wrong = join(folder, 'typo.json')
    await writeFile(wrong, JSON.stringify([{ name: other, partition: 5 }]))
    expect(await ask('topics', 'apply', '--file', wrong)).toMatchObject({ code: 2 })
  })

  test('Kafka that is not there is named', async () => {
    const { code, stderr } = await rollcall(['topics', 'check', '--file', file, '--kafka', '127.9.9.9:7400'])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^rollcall: Kafka did not answer/)
  })
})

describe('topics tail', () => {
  const first = userCreated()
  const second = userUpdated(first)
  const third = userCreated()
  const secrets = [first, third].flatMap(({ user }) => [user.userName, user.emails[0]?.value ?? user.userName])
  const beforeThird = Date.now() - 60_000

  beforeAll(async () => {
    await kafka.applyTopics([{ name: topic, partitions: PARTITIONS, replicationFactor: 1, config: {} }])
    const producer = kafka.producer()
    const put = (event: UserLifecycleEvent, timestampMs: number, value = codec.encode(event)) =>
      producer.send(topic, [
        {
          partition: partitionOf(Buffer.from(event.userId), PARTITIONS),
          timestampMs,
          body: encodeRecordBody({
            key: Buffer.from(event.userId),
            value,
            headers: cloudEventHeaders(event, { source: '/test' }),
          }),
        },
      ])
    await put(first, beforeThird - 10_000)
    await put(second, beforeThird - 5_000)
    await put(first, beforeThird - 4_000, Buffer.from('not an event'))
    await put(third, beforeThird)
    await producer.close()
  })

  const tail = async (...args: string[]) => {
    const { code, stdout, stderr } = await ask('topics', 'tail', topic, '--json', ...args)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    return stdout
      .split('\n')
      .filter(Boolean)
      .map(
        (line) => JSON.parse(line) as { offset: number; key: string; event?: UserLifecycleEvent; undecodable?: object },
      )
  }

  test('shows every record, also one that cannot be decoded', async () => {
    const lines = await tail()
    expect(lines).toHaveLength(4)
    expect(lines.filter(({ event }) => event !== undefined)).toHaveLength(3)
    expect(lines.find(({ undecodable }) => undecodable !== undefined)).toMatchObject({
      key: first.userId,
      undecodable: { code: 'ERR_EVENT_MALFORMED' },
    })
  })

  test('masks personal data unless asked not to, in both forms', async () => {
    for (const form of [['--json'], []]) {
      const masked = await ask('topics', 'tail', topic, ...form)
      expect(masked.stdout).toContain(third.userId)
      for (const secret of secrets) expect(masked.stdout).not.toContain(secret)
      const shown = await ask('topics', 'tail', topic, '--show-values', ...form)
      for (const secret of secrets) expect(shown.stdout).toContain(secret)
    }
  })

  test('shows one user, from a place or a time, up to a limit', async () => {
    const ofFirst = await tail('--user', first.userId)
    expect(ofFirst.map(({ event }) => event?.version)).toEqual([1, 2, undefined])
    expect(await tail('--user', first.userId, '--limit', '1')).toEqual(ofFirst.slice(0, 1))
    const since = await tail('--from', new Date(beforeThird - 1).toISOString())
    expect(since.map(({ key }) => key)).toEqual([third.userId])
    expect(await tail('--from', 'latest')).toEqual([])
    const fromSecond = await tail('--from', String(ofFirst[1]?.offset), '--user', first.userId)
    expect(fromSecond).toEqual(ofFirst.slice(1))
  })

  test('a time is looked up, not read up to: earlier records are not fetched', async () => {
    const placeOf = ({ userId }: UserLifecycleEvent) => partitionOf(Buffer.from(userId), PARTITIONS)
    const marks = await kafka.offsets(topic)
    const ends = new Map(marks.map(({ partition, high }) => [partition, high]))
    const startAt = (timeMs: number) => findTailStart(kafka, topic, new Date(timeMs).toISOString())
    const { positions } = await startAt(beforeThird - 1)
    const endOfThird = ends.get(placeOf(third)) as number
    expect(positions).toEqual(new Map([...ends, [placeOf(third), endOfThird - 1]]))
    expect((await startAt(beforeThird + 1)).positions).toEqual(ends)
    const lows = new Map(marks.map(({ partition, low }) => [partition, low]))
    const ofAll = (await startAt(beforeThird - 60_000)).positions
    for (const event of [first, third]) expect(ofAll.get(placeOf(event))).toBe(lows.get(placeOf(event)))
  })

  test('follows until it is stopped', async () => {
    const stop = new AbortController()
    const args = ['topics', 'tail', topic, '--follow', '--kafka', brokers, '--schema-registry', schemaRegistry]
    let lines = 0
    const { code } = await rollcall(args, {
      signal: stop.signal,
      onOutput(text) {
        lines += text.split('\n').length - 1
        if (lines === 4) stop.abort()
      },
    })
    expect({ code, lines }).toEqual({ code: 0, lines: 4 })
  })

  test('a place that is none, and a topic that is none, are told apart', async () => {
    expect(await ask('topics', 'tail', topic, '--from', 'yesterday')).toMatchObject({ code: 2 })
    const missing = await ask('topics', 'tail', other)
    expect(missing.code).toBe(1)
    expect(missing.stderr).toContain(`Topic "${other}" does not exist`)
  })
})

test('masking follows the classes of the schemas and keeps the shape', () => {
  const event = userCreated({ user: { phone: null, attributes: { costCenter: '4711' } } } as never)
  const masked = maskPersonalData(event, userLifecycle) as UserLifecycleEvent
  expect(Object.keys(masked).sort()).toEqual(Object.keys(event).sort())
  expect(Object.keys(masked.user).sort()).toEqual(Object.keys(event.user).sort())
  const { userId, version, occurredAt, actor, changed, eventId } = event
  expect(masked).toMatchObject({ userId, version, occurredAt, actor, changed, eventId })
  expect(masked.user).toMatchObject({ id: userId, status: event.user.status, userName: '•••' })
  expect(Object.values(masked.user.attributes).every((value) => value === '•••')).toBe(true)
})
