import type { Logger } from '@rollcall/observability'
import type { Batch, ConsumerGroup } from '../kafkajs/internals.js'
import type { KafkaMetrics } from '../metrics.js'
import type { KafkaRecord } from '../record.js'
import { nextOffsetAfter, toRecords } from '../stock-record.js'
import type { ConsumerOptions } from './consumer.js'
import { isReadable, type Lane, type Lanes } from './lanes.js'
import type { Latch } from './latch.js'
import type { Membership } from './membership.js'
import type { Positions } from './positions.js'
import { createSlots } from './slots.js'

/**
 * Hands fetched records to the caller. Only one rule decides whether a batch is handed out: it was fetched exactly at the
 * position of the lane's present claim.
 */
export interface HandOut {
  /** Starts the work on what was fetched; the promises never reject. */
  take(batches: readonly Batch[]): Promise<void>[]
  readonly running: ReadonlySet<Promise<void>>
  /** Tells Kafka how far the work is, for lag displays. Never rejects. */
  commit(): Promise<void>
  /** After a join: what was handled before it is not for this member to commit. */
  forgetUncommitted(): void
}

export interface HandOutTools {
  readonly group: ConsumerGroup
  readonly lanes: Lanes
  readonly positions: Positions
  readonly membership: Membership
  readonly closing: Latch
  readonly logger: Logger
  readonly metrics: KafkaMetrics
}

export function createHandOut(
  options: ConsumerOptions,
  { group, lanes, positions, membership, closing, logger, metrics }: HandOutTools,
): HandOut {
  const { topic, groupId, concurrency = 1, maxRecordsPerBatch = Number.POSITIVE_INFINITY } = options
  const labels = { topic, group: groupId }
  const slots = createSlots(concurrency)
  const running = new Set<Promise<void>>()
  const uncommitted = new Map<number, number>()

  function take(batches: readonly Batch[]): Promise<void>[] {
    return batches.flatMap((batch) => {
      const lane = lanes.of(batch.partition)
      if (!isReadable(lane) || Number(batch.fetchedOffset) !== lane.position) return []
      if (batch.messages.length === 0) {
        const next = nextOffsetAfter(batch)
        if (next !== undefined && next > lane.position) lanes.advance(lane, next)
        return []
      }
      lane.isBusy = true
      lanes.settle(lane)
      const work = handOut(lane, batch).finally(() => {
        lane.isBusy = false
        running.delete(work)
        // What was not handled of the fetch is fetched again.
        if (lane.claim !== undefined && lane.backOff === undefined) lanes.moveTo(lane, lane.position)
        else lanes.settle(lane)
      })
      running.add(work)
      return [work]
    })
  }

  async function handOut(lane: Lane, batch: Batch): Promise<void> {
    const { claim } = lane
    const isStale = () => lane.claim !== claim || closing.isSet
    await slots.take()
    try {
      const records = toRecords(batch.messages)
      const afterAll = nextOffsetAfter(batch) ?? 0
      for (let first = 0; first < records.length; first += maxRecordsPerBatch) {
        if (isStale() || lane.isPaused) return
        const last = Math.min(first + maxRecordsPerBatch, records.length)
        const part = last - first === records.length ? records : records.slice(first, last)
        const nextOffset = last === records.length ? afterAll : (records[last] as KafkaRecord).offset
        await options.batch({
          topic,
          partition: lane.partition,
          records: part,
          nextOffset,
          highWatermark: Number(batch.highWatermark),
          isStale,
          heartbeat: membership.beat,
        })
        metrics.recordsReceived.inc(labels, part.length)
        // A claim that changed while the handler ran has its own position, asked for after the handler's work or fenced
        // against it by the caller.
        if (lane.claim !== claim) return
        lane.failures = 0
        uncommitted.set(lane.partition, nextOffset)
        lanes.advance(lane, nextOffset)
      }
    } catch (error) {
      metrics.batchFailures.inc(labels)
      if (lane.claim === claim) positions.backOff(lane, error)
      else logger.debug({ partition: lane.partition, error }, 'a stale batch failed')
    } finally {
      slots.give()
    }
  }

  async function commit(): Promise<void> {
    if (uncommitted.size === 0) return
    const partitions = [...uncommitted].map(([partition, offset]) => ({ partition, offset: String(offset) }))
    uncommitted.clear()
    try {
      await group.commitOffsets({ topics: [{ topic, partitions }] })
    } catch (error) {
      // The next commit covers these too.
      logger.debug({ reason: String(error) }, 'offsets not committed')
    }
  }

  return { take, running, commit, forgetUncommitted: () => uncommitted.clear() }
}
