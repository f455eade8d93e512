import { isTransientDatabaseError } from '@rollcall/database'
import { errorCode, isRetryable } from '@rollcall/errors'
import { partitionOf } from '@rollcall/kafka'
import { OutboxRecordInvalidError } from '../errors.js'
import type { FencedPublisher } from './fenced-publisher.js'
import { keyOf, type Page, type RoutableRecord, type TopicBatch } from './page.js'

export interface ShipOptions {
  readonly publisher: Pick<FencedPublisher, 'send'>
  /** The topic's partition count, checked against the one its first messages were spread over. */
  readonly partitionCount: (topic: string) => Promise<number>
  /** Called before each send: throws when this relay may no longer publish. */
  readonly ensureLead: () => Promise<void>
  /** A send failed and will be tried again: resolves when it is time, rejects to give up. */
  readonly beforeRetry: (error: unknown) => Promise<void>
  /** Kafka refuses this one message for its size. */
  readonly tooLarge: (messageId: number, topic: string, bytes: number, error: unknown) => Promise<never>
  readonly sendBytes: number
  readonly partitionBytes: number
}

/**
 * Publishes a page, topic by topic, in id order. Resolves when every message is acknowledged by Kafka. Asks for the same
 * messages again, in the same order, until they are; the publisher leaves out what Kafka already has.
 */
export async function shipPage(page: Page, options: ShipOptions): Promise<void> {
  for (const [topic, batch] of page.topics) {
    route(batch, await options.partitionCount(topic))
    for (const [from, to] of chunksOf(batch.records, options)) {
      await send(topic, batch, from, to, options)
    }
  }
}

function route({ records, ids }: TopicBatch, partitions: number): void {
  for (let index = 0; index < records.length; index++) {
    const record = records[index] as RoutableRecord
    const key = keyOf(record.body)
    if (key === undefined) throw new OutboxRecordInvalidError(ids[index] as number, 'its record has no key')
    record.partition = partitionOf(key, partitions)
  }
}

/**
 * Cuts a batch into sends that fit a request and, for each partition, a record batch: a page skewed to one key would
 * otherwise be refused as too large although none of its messages is.
 */
export function* chunksOf(
  records: readonly RoutableRecord[],
  { sendBytes, partitionBytes }: Pick<ShipOptions, 'sendBytes' | 'partitionBytes'>,
): Generator<readonly [from: number, to: number]> {
  const filled: number[] = []
  let total = 0
  let from = 0
  for (let index = 0; index < records.length; index++) {
    const { partition, body } = records[index] as RoutableRecord
    // 20 bytes bound a record's length, attributes, timestamp and offset deltas.
    const bytes = body.length + 20
    const inPartition = (filled[partition] ?? 0) + bytes
    if (index > from && (total + bytes > sendBytes || inPartition > partitionBytes)) {
      yield [from, index]
      filled.length = 0
      total = 0
      from = index
    }
    filled[partition] = (filled[partition] ?? 0) + bytes
    total += bytes
  }
  if (from < records.length) yield [from, records.length]
}

async function send(topic: string, batch: TopicBatch, from: number, to: number, options: ShipOptions): Promise<void> {
  for (;;) {
    await options.ensureLead()
    try {
      await options.publisher.send(topic, batch.records.slice(from, to))
      return
    } catch (error) {
      if (errorCode(error) === 'ERR_KAFKA_RECORD_TOO_LARGE') return halve(topic, batch, from, to, options, error)
      if (endsTerm(error)) throw error
      await options.beforeRetry(error)
    }
  }
}

/** True for a failure that is not Kafka's: the lead is lost, the database changed or does not answer. */
export function endsTerm(error: unknown): boolean {
  const code = errorCode(error) ?? ''
  return code.startsWith('ERR_OUTBOX_') || (!code.startsWith('ERR_KAFKA_') && isTransientDatabaseError(error))
}

// Finds the one message that does not fit, shipping what stands before it.
async function halve(
  topic: string,
  batch: TopicBatch,
  from: number,
  to: number,
  options: ShipOptions,
  error: unknown,
): Promise<void> {
  if (to - from === 1) {
    await options.tooLarge(batch.ids[from] as number, topic, (batch.records[from] as RoutableRecord).body.length, error)
  }
  const middle = from + ((to - from) >> 1)
  await send(topic, batch, from, middle, options)
  await send(topic, batch, middle, to, options)
}

/** True for failures that end the relay; everything else is tried again. */
export function isFatalForRelay(error: unknown): boolean {
  const code = errorCode(error)
  return (code ?? '').startsWith('ERR_OUTBOX_') && !isRetryable(error)
}
