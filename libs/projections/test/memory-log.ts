import { cloudEventHeaders, type UserLifecycleEvent } from '@rollcall/events'
import type { ConsumerOptions, KafkaConsumer, KafkaRecord } from '@rollcall/kafka'
import type { LogSource } from '../src/index.js'

/** A log in memory whose consumers move only when a test says so: every delivery can be repeated, late or out of turn. */
export interface MemoryLog extends LogSource {
  append(partition: number, ...events: readonly UserLifecycleEvent[]): void
  /** Makes values decodable that stand in no partition. */
  know(...events: readonly UserLifecycleEvent[]): void
  appendBytes(partition: number, userId: string, value: Buffer): void
  /** Removes records and leaves a hole in the offsets, as compaction does. */
  compact(partition: number, from: number, to: number): void
  /** The consumers made so far, in order. */
  readonly consumers: readonly DrivenConsumer[]
  readonly codec: { decode(value: Buffer): UserLifecycleEvent }
}

export interface DrivenConsumer extends KafkaConsumer {
  readonly groupId: string
  /** Gives the partitions to this consumer and asks it where to read on. */
  assign(partitions: readonly number[]): Promise<void>
  /** Hands out one batch of records from the offset on, whatever the consumer expects. */
  deliver(
    partition: number,
    from: number,
    options?: { readonly isStale?: () => boolean; readonly to?: number },
  ): Promise<void>
  /** Hands out everything until nothing is left that is not paused. */
  drain(): Promise<void>
  isPaused(partition: number): boolean
}

export function memoryLog(partitions: number): MemoryLog {
  const logs = Array.from({ length: partitions }, () => ({ records: [] as KafkaRecord[] }))
  const events = new Map<string, UserLifecycleEvent>()
  const consumers: DrivenConsumer[] = []
  const logOf = (partition: number) => {
    const log = logs[partition]
    if (log === undefined) throw new Error(`no partition ${partition}`)
    return log
  }
  const push = (partition: number, key: string, value: Buffer, headers: Record<string, string>) => {
    const { records } = logOf(partition)
    const bytes = Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)]))
    records.push({ offset: records.length, timestampMs: Date.now(), key: Buffer.from(key), value, headers: bytes })
  }
  const offsets = () => logs.map(({ records }, partition) => ({ partition, low: 0, high: records.length }))

  return {
    consumers,
    append(partition, ...added) {
      for (const event of added) {
        events.set(event.eventId, event)
        const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
        push(
          partition,
          event.userId,
          Buffer.from(event.eventId),
          cloudEventHeaders(event, { source: '/test', traceparent: parent }),
        )
      }
    },
    know(...known) {
      for (const event of known) events.set(event.eventId, event)
    },
    appendBytes: (partition, userId, value) => push(partition, userId, value, { ce_subject: userId, ce_id: 'broken' }),
    compact(partition, from, to) {
      const { records } = logOf(partition)
      for (let offset = from; offset < to; offset++) delete records[offset]
    },
    codec: {
      decode(value) {
        const event = events.get(value.toString())
        if (event === undefined) throw new Error('not an event')
        return event
      },
    },
    offsets: async () => offsets(),
    async readTopic({ from, until, partitions: asked, onBatch, topic }) {
      let count = 0
      const positions = new Map<number, number>()
      for (const { partition, low, high } of offsets()) {
        if (asked !== undefined && !asked.includes(partition)) continue
        const start = from instanceof Map ? (from.get(partition) ?? low) : low
        const end = until instanceof Map ? (until.get(partition) ?? high) : high
        // Without the holes: filter() skips them.
        const records = logOf(partition)
          .records.slice(start, end)
          .filter(() => true)
        positions.set(partition, end)
        count += records.length
        if (records.length > 0) await onBatch({ topic, partition, records, nextOffset: high, highWatermark: high })
      }
      return { records: count, positions }
    },
    consumer(options) {
      const consumer = drivenConsumer(options, logOf, [...logs.keys()])
      consumers.push(consumer)
      return consumer
    },
  }
}

function drivenConsumer(
  options: ConsumerOptions,
  logOf: (partition: number) => { readonly records: readonly KafkaRecord[] },
  partitions: readonly number[],
): DrivenConsumer {
  const positions = new Map<number, number>()
  const paused = new Set<number>()
  let assigned: readonly number[] = []
  let generation = 0

  const deliver: DrivenConsumer['deliver'] = async (partition, from, { isStale, to } = {}) => {
    const all = logOf(partition).records
    // Without the holes: filter() skips them.
    const records = all.slice(from, to).filter(() => true)
    const nextOffset = Math.min(to ?? all.length, all.length)
    const mine = generation
    positions.set(partition, nextOffset)
    await options.batch({
      topic: options.topic,
      partition,
      records,
      nextOffset,
      highWatermark: all.length,
      isStale: isStale ?? (() => mine !== generation),
      heartbeat: async () => {},
    })
  }

  let driving: Promise<void> | undefined
  let isClosed = false

  /** The runner of a side that is not live comes and goes by itself: nobody can drive it by hand. */
  async function drive(): Promise<void> {
    await consumer.assign(partitions)
    while (!isClosed) {
      await consumer.drain()
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }

  const consumer: DrivenConsumer = {
    groupId: options.groupId,
    async start() {
      if (options.groupId.includes('~')) driving = drive()
    },
    async close() {
      isClosed = true
      await driving
    },
    assignment: () => assigned,
    pause: (partitions) => partitions.forEach((partition) => void paused.add(partition)),
    resume: (partitions) => partitions.forEach((partition) => void paused.delete(partition)),
    seek: (partition, offset) => void positions.set(partition, offset),
    reclaim: async () => {},
    isPaused: (partition) => paused.has(partition),
    async assign(given) {
      generation++
      assigned = given
      positions.clear()
      for (const [partition, position] of await options.assigned(given)) positions.set(partition, position)
    },
    deliver,
    async drain() {
      let handedOut = 0
      for (let moved = true; moved; ) {
        moved = false
        for (const [partition, position] of positions) {
          if (paused.has(partition) || position >= logOf(partition).records.length) continue
          moved = true
          if (++handedOut > 200) throw new Error(`partition ${partition} is asked for over and over at ${position}`)
          await deliver(partition, position)
        }
      }
    },
  }
  return consumer
}
