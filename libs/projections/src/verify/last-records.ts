import { sequenceOf } from '@rollcall/events'
import { headerOf } from '@rollcall/kafka'
import type { LogSource } from '../log-source.js'

/** The last record of a user in a stretch of the topic, still encoded. */
export interface LastRecord {
  version: number
  value: Buffer
  /** What `value` is a view of: written over by the next record that fits. */
  room: Buffer
}

/** Reads a partition up to an offset and keeps the last record of each user; the versions are taken from the headers. */
export async function lastRecords(
  kafka: Pick<LogSource, 'readTopic'>,
  { topic, partition, until, signal, seen }: LastRecordsOptions,
): Promise<ReadonlyMap<string, LastRecord>> {
  const users = new Map<string, LastRecord>()
  await kafka.readTopic({
    topic,
    partitions: [partition],
    until: new Map([[partition, until]]),
    signal,
    onBatch({ records }) {
      for (const record of records) {
        const { key, value } = record
        const sequence = headerOf(record, 'ce_sequence')
        const version = sequence && sequenceOf({ ce_sequence: sequence })
        if (key === null || value === null || version === undefined) continue
        const userId = key.toString('latin1')
        const user = users.get(userId)
        if (user === undefined) users.set(userId, { version, ...roomFor(value) })
        else if (version > user.version) {
          // Copied: a view would keep the whole fetched megabyte alive.
          if (user.room.length < value.length) Object.assign(user, roomFor(value))
          else {
            value.copy(user.room)
            user.value = user.room.subarray(0, value.length)
          }
          user.version = version
        }
      }
      seen(records.length)
    },
  })
  return users
}

export interface LastRecordsOptions {
  readonly topic: string
  readonly partition: number
  /** Exclusive. */
  readonly until: number
  readonly signal: AbortSignal
  readonly seen: (records: number) => void
}

const SLACK = 32

function roomFor(value: Buffer): Pick<LastRecord, 'value' | 'room'> {
  const room = Buffer.allocUnsafe(value.length + SLACK)
  value.copy(room)
  return { room, value: room.subarray(0, value.length) }
}
