import { silentLogger } from '@rollcall/observability/testing'
import { connectKafkajs } from '../kafkajs/connect.js'

/** Removes the records before an offset of each partition named, as retention or an operator does. */
export async function deleteRecords(
  brokers: string,
  topic: string,
  before: ReadonlyMap<number, number>,
): Promise<void> {
  const admin = connectKafkajs({ KAFKA_BROKERS: brokers.split(',') }, silentLogger, 5).admin()
  await admin.connect()
  try {
    // kafkajs asks the leaders it knows, and knows them only from an earlier question.
    await admin.fetchTopicOffsets(topic)
    const partitions = [...before].map(([partition, offset]) => ({ partition, offset: String(offset) }))
    await admin.deleteTopicRecords({ topic, partitions })
  } finally {
    await admin.disconnect()
  }
}
