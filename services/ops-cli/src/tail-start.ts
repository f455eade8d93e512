import type { KafkaClient, PartitionOffsets } from '@rollcall/kafka'
import { UsageInvalidError } from './command-errors.js'

/** Where a reading of a topic begins. */
export interface TailStart {
  /** First offset per partition. */
  readonly positions: ReadonlyMap<number, number>
  /** Records stamped earlier are passed over. */
  readonly notBeforeMs: number
}

/**
 * Understands `--from`: beginning, latest, an offset (of every partition), or an ISO 8601 time. A time is looked for by
 * reading from the beginning: the relay stamps records with the time they are sent, but nothing forces other producers
 * to write in the order of their clocks.
 *
 * @throws UsageInvalidError for anything else
 */
export function tailStart(offsets: readonly PartitionOffsets[], from: string): TailStart {
  const at = (positionOf: (offsets: PartitionOffsets) => number, notBeforeMs = Number.NEGATIVE_INFINITY) => ({
    positions: new Map(offsets.map((one) => [one.partition, positionOf(one)])),
    notBeforeMs,
  })
  if (from === 'beginning') return at(({ low }) => low)
  if (from === 'latest') return at(({ high }) => high)
  if (/^\d{1,15}$/.test(from)) return at(({ low, high }) => Math.min(Math.max(Number(from), low), high))
  const timeMs = /^\d{4}-\d\d-\d\d/.test(from) ? Date.parse(from) : Number.NaN
  if (!Number.isNaN(timeMs)) return at(({ low }) => low, timeMs)
  throw new UsageInvalidError(
    `--from ${from}: expected beginning, latest, an offset, or a time such as 2026-01-31T08:00:00Z.`,
  )
}

/** The same, asking Kafka for the offsets of a topic. @throws TopicMissingError */
export const findTailStart = async (kafka: KafkaClient, topic: string, from: string): Promise<TailStart> =>
  tailStart(await kafka.offsets(topic), from)
