import { testEndpoints } from '@rollcall/dev'
import { createKafka, encodeRecordBody, type KafkaClient } from '@rollcall/kafka'
import { createTestTopic } from '@rollcall/kafka/testing'
import { createMetrics } from '@rollcall/observability'
import { silentLogger } from '@rollcall/observability/testing'
import { type LogSubject, logRules } from '../../../src/testing/contracts/log-rules.js'
import { liveLog } from '../../../src/testing/simulator/live.js'

// The same rules for the simulator's log and for Kafka: what the simulator proves is worth what the two have in common.
describe('the log in memory', () => {
  test.each([...logRules])('$name', ({ check }) => check(inMemory()))
})

describe('the log over Kafka', () => {
  const clients: KafkaClient[] = []
  const client = () => {
    const brokers = { KAFKA_BROKERS: testEndpoints().kafka.split(',') }
    const kafka = createKafka(brokers, { logger: silentLogger, metrics: createMetrics('test') })
    clients.push(kafka)
    return kafka
  }
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((one) => one.close()))
  })

  test.each([...logRules])('$name', async ({ check }) => {
    const kafka = client()
    const topic = await createTestTopic(kafka, { partitions: 2 })
    const producer = kafka.producer()
    await check({
      topic,
      member: client,
      async append(partition, ...values) {
        const records = values.map((value) => ({
          partition,
          timestampMs: 1_767_600_000_000,
          body: encodeRecordBody({ key: 'key', value: Buffer.from(value), headers: {} }),
        }))
        await producer.send(topic, records)
      },
    })
    await producer.close()
  })
})

function inMemory(): LogSubject {
  const topic = 'contract'
  const log = liveLog(topic, 2)
  return {
    topic,
    member: () => log.source({ label: 'member', isAlive: true, frozenUntil: 0 }),
    async append(partition, ...values) {
      for (const value of values) {
        log.append(partition, { timestampMs: 1_767_600_000_000, key: null, value: Buffer.from(value), headers: {} })
      }
    },
  }
}
