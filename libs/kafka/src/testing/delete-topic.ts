import { silentLogger } from '@rollcall/observability/testing'
import { connectKafkajs } from '../kafkajs/connect.js'

/** Deletes a topic with everything in it. Whoever makes it anew begins at offset 0. */
export async function deleteTopic(brokers: string, topic: string): Promise<void> {
  const admin = connectKafkajs({ KAFKA_BROKERS: brokers.split(',') }, silentLogger, 5).admin()
  await admin.connect()
  try {
    await admin.deleteTopics({ topics: [topic] })
  } finally {
    await admin.disconnect()
  }
}
