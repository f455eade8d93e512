import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type KafkaCluster, startKafka } from '@rollcall/dev'
import { Kafka, logLevel } from 'kafkajs'
import { createTestTopic } from '../../src/testing/create-test-topic.js'
import { readAll } from '../../src/testing/read-all.js'
import { record, testClient, until } from '../test-client.js'

// kafkajs resolves send() for partitions that it never sent when a leader moves (tulios/kafkajs issue 1303, PR 1798).
const KILLS = 3
const PARTITIONS = 6

const dataDir = mkdtempSync(join(tmpdir(), 'rollcall-failover-'))
let cluster: KafkaCluster

beforeAll(async () => {
  cluster = await startKafka({ dataDir, brokers: 3 })
})
afterAll(async () => {
  await cluster?.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

test('no acknowledged record is lost, doubled or out of order when leaders are killed, in the log and at a consumer', async () => {
  const { client, metric } = testClient({}, cluster.bootstrapServers)
  const topic = await createTestTopic(client, {
    partitions: PARTITIONS,
    replicationFactor: 3,
    config: { 'min.insync.replicas': '2' },
  })
  const producer = client.producer()
  const acknowledged: string[][] = Array.from({ length: PARTITIONS }, () => [])
  let isOver = false
  let sends = 0

  // A group of one follows live: its own stored positions are what it must never contradict.
  const consumed: string[][] = Array.from({ length: PARTITIONS }, () => [])
  const consumer = client.consumer({
    groupId: topic,
    topic,
    concurrency: 2,
    sessionTimeoutMs: 6_000,
    assigned: async (partitions) => new Map(partitions.map((one) => [one, consumed[one]?.length ?? 0])),
    batch: async ({ partition, records }) => void consumed[partition]?.push(...records.map(({ key }) => String(key))),
  })
  await consumer.start()

  const load = (async () => {
    while (!isOver) {
      const value = String(sends++)
      await producer.send(
        topic,
        Array.from({ length: PARTITIONS }, (_, partition) => record(partition, value)),
      )
      for (const list of acknowledged) list.push(value)
    }
  })()

  for (let kill = 0; kill < KILLS; kill++) {
    const before = sends
    await Promise.race([load, until(() => sends > before + 150)])
    const broker = cluster.brokers[kill % 3]
    await broker?.kill('SIGKILL')
    const during = sends
    await Promise.race([load, until(() => sends > during + 50)])
    await broker?.start()
    await inSync(topic)
  }
  isOver = true
  await load

  const log: string[][] = Array.from({ length: PARTITIONS }, () => [])
  for (const { partition, key } of await readAll(client, topic)) log[partition]?.push(String(key))
  const verdict = log.map((logged, partition) => {
    const once = new Set(logged)
    return {
      lost: acknowledged[partition]?.filter((value) => !once.has(value)),
      doubled: logged.length - once.size,
      inversions: logged.filter((value, index) => Number(value) < Number(logged[index - 1])).length,
    }
  })
  expect(sends).toBeGreaterThan(KILLS * 200)
  expect(verdict).toEqual(verdict.map(() => ({ lost: [], doubled: 0, inversions: 0 })))
  await until(() => consumed.every((list) => list.length === sends))
  expect(consumed.map((list) => list.join())).toEqual(log.map((list) => list.join()))
  await consumer.close()
  process.stdout.write(
    `caught by the send-coverage guard: ${await metric('rollcall_kafka_send_uncovered_total', topic)}\n`,
  )
  await producer.close()
  await client.close()
}, 180_000)

/** A killed broker is back in every partition's in-sync set: the next kill must not leave fewer than two. */
async function inSync(topic: string): Promise<void> {
  const admin = new Kafka({ brokers: cluster.bootstrapServers.split(','), logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    await until(async () => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
      return topics[0]?.partitions.every(({ isr }) => isr.length === 3) ?? false
    })
  } finally {
    await admin.disconnect()
  }
}
