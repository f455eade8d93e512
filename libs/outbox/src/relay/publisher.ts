import type { OutgoingRecord } from '@rollcall/kafka'

/** Where the relay sends; the producer of @rollcall/kafka is one. */
export interface Publisher {
  connect(): Promise<void>
  /**
   * Resolves when all records are acknowledged; keeps the order of each partition. Rejects otherwise, and then some
   * of the records may be in the log all the same.
   */
  send(topic: string, records: readonly OutgoingRecord[]): Promise<void>
  partitionCount(topic: string): Promise<number>
  close(): Promise<void>
}

/** Makes one publisher for each term as leader; a `KafkaClient` is one. */
export interface PublisherSource {
  producer(): Publisher
}
