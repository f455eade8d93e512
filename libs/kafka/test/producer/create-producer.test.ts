import { errorCode } from '@rollcall/errors'
import { createMetrics } from '@rollcall/observability'
import { logSink } from '@rollcall/observability/testing'
import type { Kafka } from 'kafkajs'
import { declareMetrics } from '../../src/metrics.js'
import { createProducer } from '../../src/producer/create-producer.js'
import { toRounds } from '../../src/producer/send-rounds.js'
import { encodeRecordBody } from '../../src/record-body.js'
import { createTestTopic } from '../../src/testing/create-test-topic.js'
import { readAll } from '../../src/testing/read-all.js'
import { record, stockKafka, testClient } from '../test-client.js'

const { client, metric } = testClient()
const producer = client.producer()

afterAll(async () => {
  await producer.close()
  await client.close()
})

test('records arrive as they were sent, whichever encoder and decoder is in use', async () => {
  const slow = testClient({ fastWire: false })
  const stockProducer = slow.client.producer()
  const topic = await createTestTopic(client, { partitions: 2 })
  const sent = [
    { key: 'a', value: 'one', headers: { h: 'x', __proto__x: 'y' } },
    { key: null, value: null, headers: {} },
    { key: 'ü', value: '', headers: { empty: '' } },
  ]
  const records = sent.map((one, index) => ({
    partition: index % 2,
    timestampMs: 1_700_000_000_000 + index,
    body: encodeRecordBody(one),
  }))
  await producer.send(topic, records)
  await stockProducer.send(topic, records)
  for (const reader of [client, slow.client]) {
    const read = await readAll(reader, topic)
    expect(
      read.map(({ partition, offset, key, value, headers, timestampMs }) => [
        partition,
        offset,
        key,
        value?.toString() ?? null,
        headers,
        timestampMs - 1_700_000_000_000,
      ]),
    ).toEqual([
      [0, 0, 'a', 'one', sent[0]?.headers, 0],
      [0, 1, 'ü', '', { empty: '' }, 2],
      [0, 2, 'a', 'one', sent[0]?.headers, 0],
      [0, 3, 'ü', '', { empty: '' }, 2],
      [1, 0, null, null, {}, 1],
      [1, 1, null, null, {}, 1],
    ])
  }
  expect([await metric('rollcall_kafka_fast_encoder'), await slow.metric('rollcall_kafka_fast_encoder')]).toEqual([
    1, 0,
  ])
  await stockProducer.close()
  await slow.client.close()
})

test('sends that run at the same time keep the order of each partition', async () => {
  const topic = await createTestTopic(client, { partitions: 3 })
  const values = Array.from({ length: 600 }, (_, index) => String(index))
  const sends: Promise<void>[] = []
  for (let at = 0; at < values.length; at += 20) {
    sends.push(
      producer.send(
        topic,
        values.slice(at, at + 20).map((value, index) => record((at + index) % 3, value)),
      ),
    )
  }
  await Promise.all(sends)
  const read = await readAll(client, topic)
  for (const partition of [0, 1, 2]) {
    expect(read.filter((one) => one.partition === partition).map(({ key }) => key)).toEqual(
      values.filter((_, index) => index % 3 === partition),
    )
  }
  expect(await metric('rollcall_kafka_records_sent_total', topic)).toBe(600)
})

test('a send larger than one batch may be is sent in several', async () => {
  const topic = await createTestTopic(client)
  const big = 'x'.repeat(200_000)
  await producer.send(
    topic,
    Array.from({ length: 20 }, (_, index) => record(0, String(index), big)),
  )
  expect((await readAll(client, topic)).map(({ key }) => Number(key))).toEqual(
    Array.from({ length: 20 }, (_, index) => index),
  )
})

test('rounds keep the order of each partition and the byte limit', () => {
  const records = Array.from({ length: 50 }, (_, index) =>
    record(index % 3, String(index), 'x'.repeat(index === 7 ? 5_000 : 100)),
  )
  const rounds = toRounds(records, 1_000)
  for (const partition of [0, 1, 2]) {
    const inOrder = rounds.flatMap((round) => round.get(partition) ?? [])
    expect(inOrder).toEqual(records.filter((one) => one.partition === partition))
  }
  const batches = rounds.flatMap((round) => [...round.values()])
  expect(
    batches.filter((batch) => batch.length > 1 && batch.reduce((sum, { body }) => sum + body.length, 0) > 1_000),
  ).toEqual([])
})

test('a record that is too large is named with its place, what was queued behind it is not sent, and the next send works', async () => {
  const topic = await createTestTopic(client, { partitions: 3 })
  const tooLarge = producer.send(topic, [record(0, 'small'), record(2, 'large', 'x'.repeat(1_200_000))])
  const behind = producer.send(topic, [record(2, 'behind')])
  await expect(tooLarge).rejects.toMatchObject({
    code: 'ERR_KAFKA_RECORD_TOO_LARGE',
    retryable: false,
    facts: { topic, partition: 2 },
  })
  await expect(behind).rejects.toMatchObject({ code: 'ERR_KAFKA_REQUEST_FAILED', retryable: true })
  await producer.send(topic, [record(2, 'next')])
  const keys = (await readAll(client, topic)).map(({ key }) => key)
  expect(keys).toContain('next')
  expect(keys).not.toContain('behind')
})

test('a topic or partition that does not exist is refused at once', async () => {
  const startedAt = Date.now()
  await expect(producer.send('no-such-topic', [record(0, 'a')])).rejects.toMatchObject({
    code: 'ERR_KAFKA_TOPIC_MISSING',
    facts: { topic: 'no-such-topic' },
  })
  const topic = await createTestTopic(client)
  await expect(producer.send(topic, [record(1, 'a')])).rejects.toMatchObject({
    code: 'ERR_KAFKA_TOPIC_MISSING',
    facts: { topic, partition: 1 },
  })
  expect(Date.now() - startedAt).toBeLessThan(3_000)
})

test('no broker is an error that may be tried again', async () => {
  const nowhere = testClient({}, '127.0.0.1:1')
  await expect(nowhere.client.ping()).rejects.toMatchObject({ code: 'ERR_KAFKA_UNREACHABLE', retryable: true })
})

describe('with a kafkajs that answers as told', () => {
  type Answer = (partitions: number[]) => { partition: number }[] | Error
  const scripted = (answers: Answer[]) => {
    const sent: number[][] = []
    let producers = 0
    const kafka = {
      producer: () => {
        producers++
        return {
          connect: async () => undefined,
          disconnect: async () => undefined,
          send: async ({ messages }: { messages: { reduce(): Record<string, unknown> } }) => {
            const partitions = Object.keys(messages.reduce()).map(Number)
            sent.push(partitions)
            const answer = (answers.shift() ?? ((all) => all.map((partition) => ({ partition }))))(partitions)
            if (answer instanceof Error) throw answer
            return answer
          },
        }
      },
    } as unknown as Kafka
    const metrics = createMetrics('test')
    const log = logSink()
    const made = createProducer({
      connect: () => kafka,
      partitionCount: async () => 4,
      logger: log.logger,
      metrics: declareMetrics(metrics),
      fastEncoder: true,
      maxBatchBytes: 900_000,
    })
    return { made, sent, metrics, producers: () => producers }
  }
  const threeRecords = [record(0, 'a'), record(1, 'b'), record(1, 'c')]

  test('partitions that an answer leaves out are sent again and counted', async () => {
    const { made, sent, metrics } = scripted([() => [{ partition: 0 }], () => []])
    await made.send('t', threeRecords)
    expect(sent).toEqual([[0, 1], [1], [1]])
    expect(await metrics.text()).toMatch(/rollcall_kafka_send_uncovered_total\{.*topic="t".*\} 4/)
  })

  test('partitions that stay uncovered fail the send', async () => {
    const { made } = scripted(Array.from({ length: 20 }, () => () => []))
    await expect(made.send('t', threeRecords)).rejects.toMatchObject({ code: 'ERR_KAFKA_UNREACHABLE', retryable: true })
  })

  test.each(['INVALID_PRODUCER_EPOCH', 'OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID'])(
    'after %s the next send has a new producer',
    async (type) => {
      const fatal = Object.assign(new Error('fatal'), { name: 'KafkaJSProtocolError', type, retriable: false })
      const { made, producers } = scripted([() => fatal])
      const failed = await made.send('t', threeRecords).catch((error: unknown) => error)
      expect([errorCode(failed), producers()]).toEqual(['ERR_KAFKA_PRODUCER_FENCED', 1])
      await made.send('t', threeRecords)
      expect(producers()).toBe(2)
    },
  )

  test('a closed producer takes nothing more', async () => {
    const { made } = scripted([])
    await made.close()
    await expect(made.send('t', threeRecords)).rejects.toMatchObject({ code: 'ERR_KAFKA_CLIENT_CLOSED' })
  })
})

test('a transaction leaves gaps, and a bounded read ends all the same', async () => {
  const topic = await createTestTopic(client)
  const stock = stockKafka().producer({
    transactionalId: topic,
    maxInFlightRequests: 1,
    retry: { initialRetryTime: 20, retries: 20 },
  })
  await stock.connect()
  await producer.send(topic, [record(0, 'before')])
  for (const end of ['abort', 'commit'] as const) {
    const transaction = await stock.transaction()
    await transaction.send({ topic, messages: [{ key: end, value: end }] })
    await transaction[end]()
  }
  await stock.disconnect()
  expect((await readAll(client, topic)).map(({ key, offset }) => [key, offset])).toEqual([
    ['before', 0],
    ['commit', 3],
  ])
  expect(await client.offsets(topic)).toEqual([{ partition: 0, low: 0, high: 5 }])
})
