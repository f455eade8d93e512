import type { RecordBatchUnreadableError } from './errors/kafka-errors.js'

/** A record read from a topic. Its buffers share one block of memory with the whole fetch: copy what you keep. */
export interface KafkaRecord {
  readonly offset: number
  /** Milliseconds since the epoch, as the producer (or, with LogAppendTime, the broker) stamped it. */
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** Parsed when first asked for. Of several headers with one name the last stands. */
  readonly headers: Readonly<Record<string, Buffer>>
  /** Of the idempotent producer that wrote it; -1 of any other. */
  readonly producerId?: number
  /** Why nothing of it can be read: it stands for a whole record batch, and key and value are null. */
  readonly unreadable?: RecordBatchUnreadableError
}

/** A record to send: `body` comes from `encodeRecordBody` and is copied into the request as it is. */
export interface OutgoingRecord {
  readonly partition: number
  readonly body: Buffer
  readonly timestampMs: number
}
