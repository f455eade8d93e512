import type { KafkaClient, PartitionOffsets } from '@rollcall/kafka'
import { UsageInvalidError } from './command-errors.js'

/** Where a reading of a topic begins. */
export interface TailStart {
  /** First offset per partition. */
  readonly positions: ReadonlyMap<number, number>
  /** Records stamped earlier are passed over: behind the first later one there may be more of them. */
  readonly notBeforeMs: number
}

/**
 * Understands `--from`: beginning, latest, an offset (of every partition), or an ISO 8601 time, whose offsets Kafka knows.
 *
 * @throws UsageInvalidError for anything else; TopicMissingError
 */
export async function findTailStart(
  kafka: Pick<KafkaClient, 'offsets' | 'offsetsSince'>,
  topic: string,
  from: string,
): Promise<TailStart> {
  const positionOf = positionNamed(from)
  if (positionOf !== undefined) {
    const offsets = await kafka.offsets(topic)
    const positions = new Map(offsets.map((one) => [one.partition, positionOf(one)]))
    return { positions, notBeforeMs: Number.NEGATIVE_INFINITY }
  }
  const notBeforeMs = /^\d{4}-\d\d-\d\d/.test(from) ? Date.parse(from) : Number.NaN
  if (!Number.isNaN(notBeforeMs)) return { positions: await kafka.offsetsSince(topic, notBeforeMs), notBeforeMs }
  throw new UsageInvalidError(
    `--from ${from}: expected beginning, latest, an offset, or a time such as 2026-01-31T08:00:00Z.`,
  )
}

function positionNamed(from: string): ((offsets: PartitionOffsets) => number) | undefined {
  if (from === 'beginning') return ({ low }) => low
  if (from === 'latest') return ({ high }) => high
  if (/^\d{1,15}$/.test(from)) return ({ low, high }) => Math.min(Math.max(Number(from), low), high)
  return undefined
}
