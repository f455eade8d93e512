import type { Cluster } from './kafkajs/internals.js'

/** Which offset of a partition: the first still in the log, the high watermark, or that of the first record since a time. */
export type OffsetPlace = 'first' | 'end' | { readonly sinceMs: number }

/** Asks the leaders. A partition without such an offset (no record since the time) is left out. */
export async function listOffsets(
  cluster: Cluster,
  topic: string,
  partitions: readonly number[],
  place: OffsetPlace,
): Promise<Map<number, number>> {
  const asked = partitions.map((partition) => ({ partition }))
  const at =
    typeof place === 'string'
      ? { fromBeginning: place === 'first' }
      : // Below zero Kafka takes times for names of places.
        { fromBeginning: false, fromTimestamp: Math.max(0, Math.ceil(place.sinceMs)) }
  const answers = await cluster.fetchTopicsOffset([{ topic, partitions: asked, ...at }])
  const found = answers.flatMap((answer) => answer.partitions).filter(({ offset }) => offset !== NONE)
  return new Map(found.map(({ partition, offset }) => [partition, Number(offset)]))
}

const NONE = '-1'
