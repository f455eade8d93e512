import { sequenceOf } from '@rollcall/events'
import { headerOf } from '@rollcall/kafka'
import type { LogSource } from '../log-source.js'
import { ReplayTooLargeError } from '../projection-errors.js'

/** Events of a user by version, still encoded. */
export type UserRecords = ReadonlyMap<number, Buffer>

export interface CollectOptions {
  readonly name: string
  readonly topic: string
  readonly partition: number
  /** Exclusive. */
  readonly until: number
  /** A time: records stamped since. A version: records of that version or a later one. */
  readonly from: Date | number
  /** Only this user's. */
  readonly userId?: string | undefined
  readonly signal: AbortSignal
  /** @default 256 MiB */
  readonly maxBytes?: number
}

/** Reads a partition's events, per user. @throws ReplayTooLargeError */
export async function collectEvents(
  kafka: Pick<LogSource, 'readTopic' | 'offsetsSince'>,
  { name, topic, partition, until, from, userId, signal, maxBytes = 256 * 1_024 * 1_024 }: CollectOptions,
): Promise<ReadonlyMap<string, UserRecords>> {
  const users = new Map<string, Map<number, Buffer>>()
  const sinceMs = typeof from === 'number' ? undefined : from.getTime()
  const start = sinceMs === undefined ? undefined : (await kafka.offsetsSince?.(topic, sinceMs))?.get(partition)
  let bytes = 0
  await kafka.readTopic({
    topic,
    partitions: [partition],
    until: new Map([[partition, until]]),
    ...(start === undefined ? {} : { from: new Map([[partition, start]]) }),
    signal,
    onBatch({ records }) {
      for (const record of records) {
        const { key, value, timestampMs } = record
        const sequence = headerOf(record, 'ce_sequence')
        const version = sequence && sequenceOf({ ce_sequence: sequence })
        if (key === null || value === null || version === undefined) continue
        if (sinceMs === undefined ? version < (from as number) : timestampMs < sinceMs) continue
        const id = key.toString('latin1')
        if (userId !== undefined && id !== userId) continue
        const ofUser = users.get(id) ?? new Map<number, Buffer>()
        // The first is what was applied; a later one was skipped.
        if (ofUser.has(version)) continue
        bytes += value.length
        if (bytes > maxBytes) throw new ReplayTooLargeError(name, maxBytes)
        users.set(id, ofUser.set(version, Buffer.from(value)))
      }
    },
  })
  return users
}
