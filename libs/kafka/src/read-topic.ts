import type { KafkaRecord } from './record.js'

export interface ReadTopicOptions {
  readonly topic: string
  /** First offset per partition; a partition left out of the map starts at its low watermark. @default 'beginning' */
  readonly from?: 'beginning' | ReadonlyMap<number, number>
  /** Exclusive end per partition; 'end' is the high watermark when the call began. @default 'end' */
  readonly until?: 'end' | ReadonlyMap<number, number>
  /** @default all */
  readonly partitions?: readonly number[]
  /** Called in offset order per partition, one batch at a time; the next fetch runs meanwhile. */
  onBatch(batch: TopicSlice): void | Promise<void>
  readonly signal?: AbortSignal
  /** @default 1 MiB */
  readonly maxBytesPerPartition?: number
}

/** Records of one partition in offset order, none at or after the end asked for; never empty. */
export interface TopicSlice {
  readonly topic: string
  readonly partition: number
  readonly records: readonly KafkaRecord[]
  /** The offset to read on from after this slice. */
  readonly nextOffset: number
  readonly highWatermark: number
}

export interface ReadTopicResult {
  readonly records: number
  /** Partition to the offset reached: what `until` asked for. */
  readonly positions: ReadonlyMap<number, number>
}
