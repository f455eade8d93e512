import { CompressionTypes, Kafka, logLevel, type Message } from 'kafkajs'

/** Sends one gzipped record batch to a partition, as a producer that is not ours may. */
export async function sendGzipped(
  brokers: readonly string[],
  topic: string,
  partition: number,
  messages: readonly Pick<Message, 'key' | 'value' | 'headers'>[],
): Promise<void> {
  const producer = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).producer()
  await producer.connect()
  try {
    const placed = messages.map((message) => ({ ...message, partition }))
    await producer.send({ topic, messages: placed, compression: CompressionTypes.GZIP })
  } finally {
    await producer.disconnect()
  }
}
