import type { KafkaRecord } from '../record.js'

/** Records of one partition in offset order; never empty. */
export interface RecordBatch {
  readonly topic: string
  readonly partition: number
  readonly records: readonly KafkaRecord[]
  /** The offset after this batch: where to read on, also when offsets between records were compacted or control records. */
  readonly nextOffset: number
  readonly highWatermark: number
  /** True once the partition was revoked, re-assigned, sought or the consumer is closing: drop the work, write nothing. */
  isStale(): boolean
  /** Keeps the group membership alive in a long batch. At most one request per heartbeat interval is really sent. */
  heartbeat(): Promise<void>
}

export interface ConsumerOptions {
  readonly groupId: string
  readonly topic: string
  /**
   * Awaited on every join, before any record of these partitions is handed out. Answers where to read on:
   * partition to next offset. A partition left out is read from the start of its log. The answer wins over Kafka's
   * committed offsets, whether before or after them.
   */
  assigned(partitions: readonly number[]): Promise<ReadonlyMap<number, number>>
  /** Handles one batch. Throwing means: back off, then the same offset again; nothing is ever skipped. */
  batch(batch: RecordBatch): Promise<void>
  /** Told which partitions were lost, after their batches in flight turned stale. */
  revoked?(partitions: readonly number[]): void
  /** Partitions handled at the same time. @default 1 */
  readonly concurrency?: number
  /** Most bytes fetched per partition and request. @default 1 MiB */
  readonly maxBytesPerPartition?: number
  /** Most records handed out in one batch; a longer fetch is cut. @default no limit */
  readonly maxRecordsPerBatch?: number
  /** How long the broker may hold an empty fetch. @default 150 */
  readonly maxWaitMs?: number
  /**
   * How long the partitions of a killed member stay unserved. Short, because heartbeats do not wait for batches and a
   * member that was only slow is fenced by its owner's checkpoint. @default 6_000
   */
  readonly sessionTimeoutMs?: number
  /** First wait after a batch threw; doubles up to `maxBackoffMs`. @default 100 */
  readonly initialBackoffMs?: number
  /** @default 10_000 */
  readonly maxBackoffMs?: number
}

export interface KafkaConsumer {
  /** Joins the group; resolves when the first assignment has been answered by `assigned`. @throws as `KafkaClient` */
  start(): Promise<void>
  /** Partitions this member holds now. */
  assignment(): readonly number[]
  /** Stops handing out these partitions until `resume`; kept over rebalances. */
  pause(partitions: readonly number[]): void
  resume(partitions: readonly number[]): void
  /** Reads the partition from this offset on; batches in flight turn stale. */
  seek(partition: number, offset: number): void
  /**
   * Asks `assigned` again for partitions that are held: for a caller that finds its stored position is not where it
   * thought (an unanswered commit, a reset). Batches in flight turn stale. When `assigned` throws it is asked again later.
   */
  reclaim(partitions: readonly number[]): Promise<void>
  /** Leaves the group after the running batches end; takes about `maxWaitMs` when idle. */
  close(): Promise<void>
}
