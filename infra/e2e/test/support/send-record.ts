import { createKafka } from '@rollcall/kafka'
import { createMetrics } from '@rollcall/observability'
import { silentLogger } from '@rollcall/observability/testing'

/** Puts a record on the users topic, past the registry and its outbox. */
export async function sendRecord(brokers: string, partition: number, body: Buffer): Promise<void> {
  const kafka = createKafka(
    { KAFKA_BROKERS: brokers.split(',') },
    { logger: silentLogger, metrics: createMetrics('test') },
  )
  const producer = kafka.producer()
  try {
    await producer.send('users.lifecycle.v1', [{ partition, body, timestampMs: Date.now() }])
  } finally {
    await producer.close()
    await kafka.close()
  }
}
