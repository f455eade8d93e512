import type { KafkaClient } from '../client.js'

/** A record with copied bytes, safe to keep. */
export interface ReadRecord {
  readonly partition: number
  readonly offset: number
  readonly timestampMs: number
  readonly key: string | null
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, string>>
}

/** Everything now in the topic, by partition and then offset order within each. Not for large topics. */
export async function readAll(client: KafkaClient, topic: string): Promise<ReadRecord[]> {
  const records: ReadRecord[] = []
  await client.readTopic({
    topic,
    onBatch: (slice) => {
      for (const { offset, timestampMs, key, value, headers } of slice.records) {
        records.push({
          partition: slice.partition,
          offset,
          timestampMs,
          key: key === null ? null : key.toString(),
          value: value === null ? null : Buffer.from(value),
          headers: Object.fromEntries(Object.entries(headers).map(([name, bytes]) => [name, bytes.toString()])),
        })
      }
    },
  })
  return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset)
}
