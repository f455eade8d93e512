import { testEndpoints } from '@rollcall/dev'
import { createMetrics } from '@rollcall/observability'
import { type LogSink, logSink } from '@rollcall/observability/testing'
import { Kafka, logLevel } from 'kafkajs'
import type { KafkaClient } from '../src/client.js'
import { createKafka, type KafkaTools } from '../src/create-kafka.js'
import type { OutgoingRecord } from '../src/record.js'
import { encodeRecordBody } from '../src/record-body.js'

export interface TestClient {
  readonly client: KafkaClient
  readonly log: LogSink
  /** The value of a metric that has one series, or of the series whose labels contain the text. */
  metric(name: string, labels?: string): Promise<number>
}

export function testClient(tools: Partial<KafkaTools> = {}, brokers = testEndpoints().kafka): TestClient {
  const log = logSink()
  const metrics = createMetrics('test')
  return {
    client: createKafka({ KAFKA_BROKERS: brokers.split(',') }, { logger: log.logger, metrics, ...tools }),
    log,
    async metric(name, labels = '') {
      const line = (await metrics.text()).split('\n').find((one) => one.startsWith(name) && one.includes(labels))
      return Number(line?.split(' ').pop())
    },
  }
}

/** kafkajs itself, for what Rollcall does not do: transactions, committed offsets. */
export function stockKafka(): Kafka {
  return new Kafka({
    brokers: testEndpoints().kafka.split(','),
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 20 },
  })
}

export function record(partition: number, key: string, value: string | null = key): OutgoingRecord {
  return { partition, timestampMs: Date.now(), body: encodeRecordBody({ key, value, headers: { ce_type: 'Test' } }) }
}

/** Resolves when the condition holds. */
export async function until(holds: () => boolean | Promise<boolean>, timeoutMs = 60_000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${holds}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
