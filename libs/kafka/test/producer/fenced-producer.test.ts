import { errorCode } from '@rollcall/errors'
import type { FencedProducer, ProducerToken } from '../../src/producer/fenced-producer.js'
import { encodeRecordBody } from '../../src/record-body.js'
import { createTestTopic } from '../../src/testing/create-test-topic.js'
import { readAll } from '../../src/testing/read-all.js'
import { record, testClient } from '../test-client.js'

const { client, metric } = testClient()
const producers: FencedProducer[] = []

afterAll(async () => {
  await Promise.all(producers.map((producer) => producer.close()))
  await client.close()
})

const producerOf = (token: ProducerToken, of = client) => {
  const producer = of.fencedProducer(token)
  producers.push(producer)
  return producer
}
const keys = async (topic: string) => (await readAll(client, topic)).map(({ key }) => key)

test('a send answers where its records begin in each partition', async () => {
  const topic = await createTestTopic(client, { partitions: 3 })
  const producer = producerOf({ id: await client.newProducerId(), epoch: 0 })
  expect(await producer.send(topic, [record(0, 'a'), record(2, 'b'), record(0, 'c')])).toEqual(
    new Map([
      [0, 0],
      [2, 0],
    ]),
  )
  expect(await producer.send(topic, [record(0, 'd')])).toEqual(new Map([[0, 2]]))
  expect(await keys(topic)).toEqual(['a', 'c', 'd', 'b'])
  expect(await metric('rollcall_kafka_records_sent_total', topic)).toBe(4)
})

test('once a higher epoch wrote to a partition, the broker refuses the lower one there, also after a reconnect', async () => {
  const topic = await createTestTopic(client, { partitions: 2 })
  const id = await client.newProducerId()
  const old = producerOf({ id, epoch: 3 })
  await old.send(topic, [record(0, 'old 1'), record(1, 'old 1')])
  // Epochs may be left out: each term of a relay has one, whether it wrote or not.
  await producerOf({ id, epoch: 7 }).send(topic, [record(0, 'new')])
  await expect(old.send(topic, [record(0, 'old 2')])).rejects.toMatchObject({ code: 'ERR_KAFKA_PRODUCER_FENCED' })
  await expect(old.send(topic, [record(1, 'old 2')])).rejects.toMatchObject({ code: 'ERR_KAFKA_REQUEST_FAILED' })
  await expect(producerOf({ id, epoch: 3 }).send(topic, [record(0, 'old 3')])).rejects.toMatchObject({
    code: 'ERR_KAFKA_PRODUCER_FENCED',
  })
  // Where the higher one has not written yet, the lower one still can.
  await producerOf({ id, epoch: 4 }).send(topic, [record(1, 'old 4')])
  expect(await keys(topic)).toEqual(['old 1', 'new', 'old 1', 'old 4'])
})

test('a request that is fenced in one partition may have landed in another: the sender has to look', async () => {
  const topic = await createTestTopic(client, { partitions: 2 })
  const id = await client.newProducerId()
  await producerOf({ id, epoch: 1 }).send(topic, [record(0, 'new')])
  const code = await producerOf({ id, epoch: 0 })
    .send(topic, [record(0, 'a'), record(1, 'b')])
    .catch(errorCode)
  expect(code).toBe('ERR_KAFKA_PRODUCER_FENCED')
  expect(await keys(topic)).toEqual(['new', 'b'])
})

test('producer ids differ, and the cluster has one name', async () => {
  expect(await client.newProducerId()).not.toBe(await client.newProducerId())
  expect(await client.clusterId()).toMatch(/\S/)
  const other = testClient().client
  expect(await client.clusterId()).toBe(await other.clusterId())
  await other.close()
})

test('it writes with the encoder of kafkajs too, and cuts what is too large for one batch', async () => {
  const slow = testClient({ fastWire: false, maxBatchBytes: 300 })
  const topic = await createTestTopic(client, { partitions: 1 })
  const records = ['a', 'b', 'c'].map((key) => ({
    partition: 0,
    timestampMs: 1_700_000_000_000,
    body: encodeRecordBody({ key, value: 'x'.repeat(200), headers: { h: key } }),
  }))
  const producer = producerOf({ id: await slow.client.newProducerId(), epoch: 0 }, slow.client)
  expect(await producer.send(topic, records)).toEqual(new Map([[0, 0]]))
  expect((await readAll(client, topic)).map(({ headers }) => headers.h)).toEqual(['a', 'b', 'c'])
  await slow.client.close()
})

test('a topic that is not there, or has fewer partitions, is named', async () => {
  const topic = await createTestTopic(client, { partitions: 1 })
  const id = await client.newProducerId()
  await expect(producerOf({ id, epoch: 0 }).send(topic, [record(4, 'a')])).rejects.toMatchObject({
    code: 'ERR_KAFKA_TOPIC_MISSING',
  })
  await expect(producerOf({ id, epoch: 0 }).send('no-such-topic', [record(0, 'a')])).rejects.toMatchObject({
    code: 'ERR_KAFKA_TOPIC_MISSING',
  })
})
