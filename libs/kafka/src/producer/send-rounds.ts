import type { OutgoingRecord } from '../record.js'

/** Records of one round by partition; each partition makes one record batch of the request. */
export type Round = Map<number, OutgoingRecord[]>

/**
 * Groups records by partition and cuts them into rounds, so that no partition's batch passes `maxBatchBytes` in a round
 * and each partition's records keep their order over the rounds. A record larger than the limit goes alone.
 */
export function toRounds(records: readonly OutgoingRecord[], maxBatchBytes: number): Round[] {
  const rounds: Round[] = []
  const fill = new Map<number, { round: number; bytes: number; list: OutgoingRecord[] }>()
  for (const record of records) {
    const bytes = record.body.length + MOST_OVERHEAD
    let current = fill.get(record.partition)
    if (current === undefined || current.bytes + bytes > maxBatchBytes) {
      current = { round: current === undefined ? 0 : current.round + 1, bytes: 0, list: [] }
      fill.set(record.partition, current)
      let round = rounds[current.round]
      if (round === undefined) {
        round = new Map()
        rounds.push(round)
      }
      round.set(record.partition, current.list)
    }
    current.list.push(record)
    current.bytes += bytes
  }
  return rounds
}

/** Length, attributes, timestamp delta and offset delta at their longest. */
const MOST_OVERHEAD = 5 + 1 + 8 + 5
