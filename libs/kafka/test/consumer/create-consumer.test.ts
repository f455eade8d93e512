import { randomUUID } from 'node:crypto'
import type { ConsumerOptions, KafkaConsumer, RecordBatch } from '../../src/consumer/consumer.js'
import { createTestTopic } from '../../src/testing/create-test-topic.js'
import { record, stockKafka, testClient, until } from '../test-client.js'

const { client, log } = testClient()
const producer = client.producer()
const open = new Set<KafkaConsumer>()

afterEach(async () => {
  await Promise.all([...open].map((consumer) => consumer.close()))
  open.clear()
})
afterAll(async () => {
  await producer.close()
  await client.close()
})

function consume(topic: string, options: Partial<ConsumerOptions> & Pick<ConsumerOptions, 'batch'>): KafkaConsumer {
  const consumer = client.consumer({
    groupId: `group.${randomUUID()}`,
    topic,
    sessionTimeoutMs: 6_000,
    initialBackoffMs: 20,
    assigned: async () => new Map(),
    ...options,
  })
  open.add(consumer)
  return consumer
}

const send = (topic: string, partition: number, from: number, to: number) =>
  producer.send(
    topic,
    Array.from({ length: to - from }, (_, index) => record(partition, String(from + index))),
  )

const keys = (batch: RecordBatch) => batch.records.map(({ key }) => String(key))

test('the stored positions win over the committed offsets, before or after them; a partition without one starts at its beginning', async () => {
  const topic = await createTestTopic(client, { partitions: 3 })
  for (const partition of [0, 1, 2]) await send(topic, partition, 0, 10)
  const groupId = `group.${randomUUID()}`
  const admin = stockKafka().admin()
  await admin.connect()
  await admin.setOffsets({ groupId, topic, partitions: [0, 1, 2].map((partition) => ({ partition, offset: '5' })) })
  const seen = new Map<number, string[]>([0, 1, 2].map((partition) => [partition, []]))
  const consumer = consume(topic, {
    groupId,
    assigned: async () =>
      new Map([
        [0, 2],
        [1, 8],
      ]),
    batch: async (batch) => void seen.get(batch.partition)?.push(...keys(batch)),
  })
  await consumer.start()
  await until(() => [...seen.values()].flat().length >= 8 + 2 + 10)
  expect([...seen].map(([, all]) => [all[0], all.length])).toEqual([
    ['2', 8],
    ['8', 2],
    ['0', 10],
  ])

  await consumer.close()
  const [committed] = await admin.fetchOffsets({ groupId, topics: [topic] })
  expect(committed?.partitions.map(({ offset }) => offset)).toEqual(['10', '10', '10'])
  await admin.disconnect()
})

test('no record is handed out before the positions are answered, and a failing answer is asked for again', async () => {
  const topic = await createTestTopic(client)
  await send(topic, 0, 0, 3)
  let answers = 0
  let isAnswered = false
  const seen: boolean[] = []
  const consumer = consume(topic, {
    assigned: async () => {
      if (++answers < 3) throw new Error('database away')
      await new Promise((resolve) => setTimeout(resolve, 300))
      isAnswered = true
      return new Map([[0, 1]])
    },
    batch: async () => void seen.push(isAnswered),
  })
  await consumer.start()
  await until(() => seen.length > 0)
  expect([answers, seen[0]]).toEqual([3, true])
})

test('a batch that throws comes again from the same offset and never skips, while other partitions go on', async () => {
  const topic = await createTestTopic(client, { partitions: 2 })
  await send(topic, 0, 0, 5)
  await send(topic, 1, 0, 5)
  const first: number[] = []
  const done: string[] = []
  const other: string[] = []
  const consumer = consume(topic, {
    concurrency: 2,
    batch: async (batch) => {
      if (batch.partition === 1) return void other.push(...keys(batch))
      first.push(batch.records[0]?.offset ?? -1)
      if (first.length <= 4) throw new Error('not yet')
      done.push(...keys(batch))
    },
  })
  await consumer.start()
  await until(() => first.length >= 2)
  await send(topic, 1, 5, 8)
  await until(() => other.length === 8 && done.length === 5)
  expect(new Set(first)).toEqual(new Set([0]))
  expect(first.length).toBe(5)
  expect(log.lines().some(({ msg, partition }) => msg === 'partition failed, trying it again' && partition === 0)).toBe(
    true,
  )
})

test('a long fetch is cut to the batch size asked for, in order', async () => {
  const topic = await createTestTopic(client)
  await send(topic, 0, 0, 1_000)
  const sizes: number[] = []
  const seen: string[] = []
  const consumer = consume(topic, {
    maxRecordsPerBatch: 300,
    batch: async (batch) => {
      sizes.push(batch.records.length)
      seen.push(...keys(batch))
      expect(batch.nextOffset).toBe(seen.length)
      expect(batch.highWatermark).toBe(1_000)
    },
  })
  await consumer.start()
  await until(() => seen.length >= 1_000)
  expect(Math.max(...sizes)).toBe(300)
  expect(seen).toEqual(Array.from({ length: 1_000 }, (_, index) => String(index)))
})

test('a slow partition holds up no other, and at most `concurrency` run at once', async () => {
  const topic = await createTestTopic(client, { partitions: 4 })
  for (const partition of [0, 1, 2, 3]) await send(topic, partition, 0, 1)
  let release: () => void = () => undefined
  const blocked = new Promise<void>((resolve) => {
    release = resolve
  })
  let running = 0
  let most = 0
  const seen: number[] = []
  const consumer = consume(topic, {
    concurrency: 2,
    batch: async (batch) => {
      most = Math.max(most, ++running)
      if (batch.partition === 0) await blocked
      else await new Promise((resolve) => setTimeout(resolve, 10))
      running--
      seen.push(batch.partition)
    },
  })
  await consumer.start()
  await until(() => seen.length === 3)
  await send(topic, 3, 1, 2)
  await until(() => seen.length === 4)
  expect(seen).not.toContain(0)
  release()
  await until(() => seen.includes(0))
  expect(most).toBe(2)
})

test('a paused partition stays paused over a rebalance, and loses nothing', async () => {
  const topic = await createTestTopic(client, { partitions: 2 })
  const groupId = `group.${randomUUID()}`
  const positions = new Map<number, number>()
  const seen: number[] = []
  const options = {
    groupId,
    assigned: async () => new Map(positions),
    batch: async (batch: RecordBatch) => {
      positions.set(batch.partition, batch.nextOffset)
      seen.push(batch.partition)
    },
  }
  const one = consume(topic, options)
  await one.start()
  one.pause([0])
  const two = consume(topic, { ...options, batch: async () => undefined, assigned: async () => new Map(positions) })
  await two.start()
  await until(() => one.assignment().length === 1)
  await two.close()
  await until(() => one.assignment().length === 2)
  await send(topic, 0, 0, 2)
  await send(topic, 1, 0, 2)
  await until(() => seen.length > 0)
  await new Promise((resolve) => setTimeout(resolve, 400))
  expect(new Set(seen)).toEqual(new Set([1]))
  one.resume([0])
  await until(() => seen.includes(0))
  expect(positions.get(0)).toBe(2)
})

test('a seek makes the batch in flight stale and reads on from there', async () => {
  const topic = await createTestTopic(client)
  await send(topic, 0, 0, 10)
  const starts: number[] = []
  const stale: boolean[] = []
  const consumer = consume(topic, {
    batch: async (batch) => {
      starts.push(batch.records[0]?.offset ?? -1)
      if (starts.length === 1) consumer.seek(0, 7)
      stale.push(batch.isStale())
    },
  })
  await consumer.start()
  await until(() => starts.length >= 2)
  expect([starts.slice(0, 2), stale.slice(0, 2)]).toEqual([
    [0, 7],
    [true, false],
  ])
})

test('a reclaim asks for the position again', async () => {
  const topic = await createTestTopic(client)
  await send(topic, 0, 0, 10)
  let stored = 0
  const starts: number[] = []
  const consumer = consume(topic, {
    assigned: async () => new Map([[0, stored]]),
    batch: async (batch) => void starts.push(batch.records[0]?.offset ?? -1),
  })
  await consumer.start()
  await until(() => starts.length === 1)
  stored = 4
  await consumer.reclaim([0])
  await until(() => starts.length === 2)
  expect(starts).toEqual([0, 4])
})

test('a reclaim whose answer fails is asked again, and the partition goes on', async () => {
  const topic = await createTestTopic(client)
  await send(topic, 0, 0, 10)
  let asked = 0
  const starts: number[] = []
  const consumer = consume(topic, {
    assigned: async () => {
      if (++asked === 2 || asked === 3) throw new Error('database away')
      return new Map([[0, asked === 1 ? 0 : 6]])
    },
    batch: async (batch) => void starts.push(batch.records[0]?.offset ?? -1),
  })
  await consumer.start()
  await until(() => starts.length === 1)
  await consumer.reclaim([0])
  await until(() => starts.length === 2)
  expect([starts, asked]).toEqual([[0, 6], 4])
})

test('members come and go, and every record takes effect once, in order', async () => {
  const topic = await createTestTopic(client, { partitions: 6 })
  const groupId = `group.${randomUUID()}`
  // The caller's database: positions and epochs per partition, and effects written together with them.
  const store = new Map(
    Array.from({ length: 6 }, (_, partition) => [partition, { position: 0, epoch: 0, effects: [] as string[] }]),
  )
  const row = (partition: number) => store.get(partition) as { position: number; epoch: number; effects: string[] }
  let lostClaims = 0
  const member = () => {
    const epochs = new Map<number, number>()
    return consume(topic, {
      groupId,
      concurrency: 3,
      maxRecordsPerBatch: 7,
      assigned: async (partitions) => {
        await new Promise((resolve) => setTimeout(resolve, 5))
        return new Map(
          partitions.map((partition) => {
            epochs.set(partition, ++row(partition).epoch)
            return [partition, row(partition).position]
          }),
        )
      },
      batch: async (batch) => {
        const epoch = epochs.get(batch.partition)
        await new Promise((resolve) => setTimeout(resolve, 2))
        const stored = row(batch.partition)
        if (stored.epoch !== epoch || stored.position !== batch.records[0]?.offset) {
          lostClaims++
          // Within one member the consumer itself must have noticed; only another member's claim can surprise it.
          if (stored.epoch === epoch)
            throw new Error(`partition ${batch.partition}: ${stored.position}, not ${batch.records[0]?.offset}`)
          return
        }
        stored.effects.push(...keys(batch))
        stored.position = batch.nextOffset
      },
    })
  }
  const sending = (async () => {
    for (let at = 0; at < 900; at += 10) {
      await producer.send(
        topic,
        Array.from({ length: 60 }, (_, index) => record(index % 6, String(at + Math.floor(index / 6)))),
      )
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  })()
  const one = member()
  await one.start()
  const two = member()
  await two.start()
  const three = member()
  await three.start()
  await one.close()
  const four = member()
  await four.start()
  await two.close()
  await sending
  await until(() => [...store.values()].every(({ position }) => position === 900))
  const wanted = Array.from({ length: 900 }, (_, index) => String(index))
  for (const { effects } of store.values()) expect(effects).toEqual(wanted)
  expect(lostClaims).toBeLessThan(50)
}, 60_000)

test('lost partitions are told after their batches turned stale', async () => {
  const topic = await createTestTopic(client, { partitions: 2 })
  const groupId = `group.${randomUUID()}`
  let inFlight: RecordBatch | undefined
  const told: [number[], boolean | undefined][] = []
  const one = consume(topic, {
    groupId,
    concurrency: 2,
    batch: async (batch) => {
      if (batch.partition !== told[0]?.[0][0]) inFlight ??= batch
    },
    revoked: (partitions) => void told.push([[...partitions], inFlight?.isStale()]),
  })
  await one.start()
  await send(topic, 0, 0, 1)
  await until(() => inFlight !== undefined)
  const two = consume(topic, { groupId, batch: async () => undefined })
  await two.start()
  await until(() => told.length > 0)
  expect(told[0]?.[0].length).toBe(1)
  expect(inFlight?.isStale()).toBe(true)
})

test('records that retention deleted before they were read are reported, and reading goes on after them', async () => {
  const topic = await createTestTopic(client)
  await send(topic, 0, 0, 10)
  const admin = stockKafka().admin()
  await admin.connect()
  await admin.fetchTopicMetadata({ topics: [topic] })
  await admin.fetchTopicOffsets(topic)
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '6' }] })
  await admin.disconnect()
  const seen: string[] = []
  const consumer = consume(topic, {
    assigned: async () => new Map([[0, 2]]),
    batch: async (batch) => void seen.push(...keys(batch)),
  })
  await consumer.start()
  await until(() => seen.length >= 4)
  expect(seen).toEqual(['6', '7', '8', '9'])
  expect(
    log.lines().some(({ msg, position, low }) => msg.startsWith('records were deleted') && position === 2 && low === 6),
  ).toBe(true)
})

test('a stored position beyond the end of the log is not skipped over', async () => {
  const topic = await createTestTopic(client)
  await send(topic, 0, 0, 3)
  let stored = 500
  let asked = 0
  const seen: string[] = []
  const consumer = consume(topic, {
    assigned: async () => {
      asked++
      return new Map([[0, stored]])
    },
    batch: async (batch) => void seen.push(...keys(batch)),
  })
  await consumer.start()
  await until(() => asked >= 3)
  expect(seen).toEqual([])
  stored = 1
  await until(() => seen.length === 2)
  expect(seen).toEqual(['1', '2'])
})

test('a start on a topic that does not exist fails with its name', async () => {
  const consumer = consume('no-such-topic', { batch: async () => undefined })
  await expect(consumer.start()).rejects.toMatchObject({
    code: 'ERR_KAFKA_TOPIC_MISSING',
    facts: { topic: 'no-such-topic' },
  })
})

test('closing an idle consumer is quick, also one that cannot reach Kafka', async () => {
  const topic = await createTestTopic(client)
  const idle = consume(topic, { batch: async () => undefined })
  await idle.start()
  const startedAt = Date.now()
  await idle.close()
  expect(Date.now() - startedAt).toBeLessThan(1_500)

  const nowhere = testClient({}, '127.0.0.1:1').client.consumer({
    groupId: 'g',
    topic,
    assigned: async () => new Map(),
    batch: async () => undefined,
  })
  const starting = expect(nowhere.start()).rejects.toMatchObject({ code: 'ERR_KAFKA_CLIENT_CLOSED' })
  await nowhere.close()
  await starting
})
