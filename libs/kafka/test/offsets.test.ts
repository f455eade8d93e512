import { createTestTopic } from '../src/testing/create-test-topic.js'
import { record, stockKafka, testClient } from './test-client.js'

const { client } = testClient()
const producer = client.producer()
afterAll(async () => {
  await producer.close()
  await client.close()
})

const T0 = Date.UTC(2026, 0, 31, 8)

const send = (topic: string, partition: number, timesMs: readonly number[]) =>
  producer.send(
    topic,
    timesMs.map((timestampMs) => ({ ...record(partition, String(timestampMs)), timestampMs })),
  )

const since = async (topic: string, timeMs: number) => [...(await client.offsetsSince(topic, timeMs))].sort()

test('a time has an offset of its own in every partition: that of the first record stamped then or later', async () => {
  const topic = await createTestTopic(client, { partitions: 3 })
  await send(topic, 0, [T0, T0 + 10, T0 + 20, T0 + 30])
  await send(topic, 1, [T0 + 15])
  expect(await since(topic, T0 + 11)).toEqual([
    [0, 2],
    [1, 0],
    [2, 0],
  ])
  expect(await since(topic, T0 + 20)).toEqual([
    [0, 2],
    [1, 1],
    [2, 0],
  ])
  expect(await since(topic, T0 - 1)).toEqual([
    [0, 0],
    [1, 0],
    [2, 0],
  ])
})

test('a time after the last record is the end of the partition', async () => {
  const topic = await createTestTopic(client, { partitions: 2 })
  await send(topic, 0, [T0, T0 + 10])
  await send(topic, 1, [T0, T0 + 10, T0 + 20])
  expect(await since(topic, T0 + 21)).toEqual([
    [0, 2],
    [1, 3],
  ])
})

test('a time before 1970 is the beginning, not one of the places Kafka has negative numbers for', async () => {
  const topic = await createTestTopic(client)
  await send(topic, 0, [T0, T0 + 10])
  for (const timeMs of [-1, -2, -3]) expect(await since(topic, timeMs)).toEqual([[0, 0]])
})

test('records that retention deleted have no offset any more', async () => {
  const topic = await createTestTopic(client)
  await send(topic, 0, [T0, T0 + 10, T0 + 20])
  const admin = stockKafka().admin()
  await admin.connect()
  await admin.fetchTopicOffsets(topic)
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '2' }] })
  await admin.disconnect()
  expect(await since(topic, T0)).toEqual([[0, 2]])
})

test('a stamp that is out of order hides no later record', async () => {
  const topic = await createTestTopic(client)
  await send(topic, 0, [T0, T0 + 50, T0 + 10, T0 + 60])
  expect(await since(topic, T0 + 20)).toEqual([[0, 1]])
})

test('a topic that does not exist is named', async () => {
  await expect(client.offsetsSince('no-such-topic', T0)).rejects.toMatchObject({ code: 'ERR_KAFKA_TOPIC_MISSING' })
})
