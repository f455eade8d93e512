import { createTestTopic } from '../src/testing/create-test-topic.js'
import { record, stockKafka, testClient } from './test-client.js'

const { client } = testClient()
const producer = client.producer()
afterAll(async () => {
  await producer.close()
  await client.close()
})

const send = (topic: string, partition: number, from: number, to: number) =>
  producer.send(
    topic,
    Array.from({ length: to - from }, (_, index) => record(partition, String(from + index))),
  )

async function keysOf(options: Omit<Parameters<typeof client.readTopic>[0], 'onBatch'>) {
  const keys: [number, string][] = []
  const result = await client.readTopic({
    ...options,
    onBatch: ({ partition, records }) =>
      void keys.push(...records.map(({ key }): [number, string] => [partition, String(key)])),
  })
  expect(result.records).toBe(keys.length)
  return { keys: keys.sort(([a], [b]) => a - b), positions: result.positions }
}

test('a read takes what was there when it began, from all partitions, empty ones too, in order', async () => {
  const topic = await createTestTopic(client, { partitions: 4 })
  await send(topic, 0, 0, 2_000)
  await send(topic, 2, 0, 3)
  const seen: number[] = []
  const { records, positions } = await client.readTopic({
    topic,
    maxBytesPerPartition: 5_000,
    onBatch: async (slice) => {
      if (seen.length === 0) await send(topic, 2, 3, 10)
      if (slice.partition === 0) seen.push(...slice.records.map(({ offset }) => offset))
    },
  })
  expect(records).toBe(2_003)
  expect(seen).toEqual(Array.from({ length: 2_000 }, (_, index) => index))
  expect([...positions].sort()).toEqual([
    [0, 2_000],
    [1, 0],
    [2, 3],
    [3, 0],
  ])
})

test('a read goes from and to where it is told, in the partitions it is told', async () => {
  const topic = await createTestTopic(client, { partitions: 3 })
  for (const partition of [0, 1, 2]) await send(topic, partition, 0, 10)
  const { keys } = await keysOf({ topic, partitions: [0, 1], from: new Map([[0, 7]]), until: new Map([[1, 2]]) })
  expect(keys).toEqual([
    [0, '7'],
    [0, '8'],
    [0, '9'],
    [1, '0'],
    [1, '1'],
  ])
  expect((await keysOf({ topic, partitions: [2], from: new Map([[2, 10]]) })).keys).toEqual([])
})

test('a read begins where retention left the log', async () => {
  const topic = await createTestTopic(client)
  await send(topic, 0, 0, 10)
  const admin = stockKafka().admin()
  await admin.connect()
  await admin.fetchTopicOffsets(topic)
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '8' }] })
  await admin.disconnect()
  expect((await keysOf({ topic, from: new Map([[0, 3]]) })).keys.map(([, key]) => key)).toEqual(['8', '9'])
})

test('a handler that throws ends the read with its own error, and an abort with its reason', async () => {
  const topic = await createTestTopic(client)
  await send(topic, 0, 0, 10)
  const mine = new Error('mine')
  await expect(client.readTopic({ topic, onBatch: () => Promise.reject(mine) })).rejects.toBe(mine)
  const abort = new AbortController()
  const waiting = client.readTopic({
    topic,
    until: new Map([[0, 1_000]]),
    signal: abort.signal,
    onBatch: () => abort.abort(mine),
  })
  await expect(waiting).rejects.toBe(mine)
})

test('a topic or partition that does not exist is named', async () => {
  await expect(keysOf({ topic: 'no-such-topic' })).rejects.toMatchObject({ code: 'ERR_KAFKA_TOPIC_MISSING' })
  const topic = await createTestTopic(client)
  await expect(keysOf({ topic, partitions: [3] })).rejects.toMatchObject({
    code: 'ERR_KAFKA_TOPIC_MISSING',
    facts: { partition: 3 },
  })
})

test('reading on from the positions reached misses nothing and repeats nothing, while records keep coming', async () => {
  const topic = await createTestTopic(client, { partitions: 2 })
  const producer = client.producer()
  let writing = true
  let written = 0
  const writer = (async () => {
    for (; written < 600; written++) await producer.send(topic, [record(written % 2, `k${written}`)])
    writing = false
  })()
  const seen: string[] = []
  let from: ReadonlyMap<number, number> = new Map()
  for (let last = false; !last; ) {
    last = !writing
    const { positions } = await client.readTopic({
      topic,
      from,
      onBatch: ({ records }) => void seen.push(...records.map(({ key }) => String(key))),
    })
    from = positions
  }
  await writer
  await producer.close()
  expect(seen.sort()).toEqual(Array.from({ length: written }, (_, at) => `k${at}`).sort())
})
