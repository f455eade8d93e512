import { sequenceOf } from '@rollcall/events'
import type { KafkaRecord, RecordBatch } from '@rollcall/kafka'
import { serializeError } from '@rollcall/observability'
import type { Clock } from './clock.js'
import type { Decision } from './decide.js'
import type { ProjectedEvent } from './define-projection.js'
import type { Parking } from './parking.js'
import type { PartitionFailure } from './partition-failure.js'
import { type FailureCode, type FailurePlace, partitionFailure } from './projection-errors.js'

/** One record on its way to the handler, with the event in it when it can be read. */
export interface Delivered<E> {
  readonly record: KafkaRecord
  readonly userId: string | undefined
  /** NaN when the record names none. */
  readonly version: number
  readonly event: E | undefined
  /** Why the handler must not see it: it cannot be read, or the handler failed on it. */
  readonly failure?: PartitionFailure
}

export const deliveredEvent = <E extends ProjectedEvent>(record: KafkaRecord, event: E): Delivered<E> => ({
  record,
  userId: event.userId,
  version: event.version,
  event,
})

/** Named by its headers and key alone. */
export function unreadable<E>(
  { topic, partition }: Pick<RecordBatch, 'topic' | 'partition'>,
  record: KafkaRecord,
  error: unknown,
  clock: Clock,
): Delivered<E> {
  const userId = userIdIn(headerText(record, 'ce_subject')) ?? userIdIn(record.key?.toString('latin1'))
  const version = sequenceOf(record.headers) ?? Number.NaN
  const eventId = headerText(record, 'ce_id')
  const place = { topic, partition, offset: record.offset, ...given({ userId, eventId }) }
  const problem = `The record cannot be decoded: ${reasonOf(error)}`
  const failure = failureOf('ERR_PROJECTION_EVENT_UNREADABLE', problem, place, clock)
  return { record, userId, version, event: undefined, failure }
}

export function handlerFailure<E extends ProjectedEvent>(
  batch: Pick<RecordBatch, 'topic' | 'partition'>,
  failed: Delivered<E>,
  error: unknown,
  clock: Clock,
): PartitionFailure {
  const place = { ...placeOf(batch, failed), seenVersion: failed.version }
  return failureOf('ERR_PROJECTION_HANDLER_FAILED', `The handler failed: ${reasonOf(error)}`, place, clock)
}

/** What the decision keeps aside, with the reason for each user it parks. */
export function parkingsOf<E extends ProjectedEvent>(
  {
    batch,
    items,
  }: { readonly batch: Pick<RecordBatch, 'topic' | 'partition'>; readonly items: readonly Delivered<E>[] },
  { verdicts }: Decision,
  clock: Clock,
): Parking[] {
  return items.flatMap((item, index) => {
    const verdict = verdicts[index]
    if (verdict?.act !== 'park') return []
    const { record, userId, version, event } = item
    const failure =
      verdict.cause === 'failed'
        ? item.failure
        : verdict.cause === 'gap'
          ? gap(batch, item, verdict.knownVersion, clock)
          : undefined
    const letter = {
      partition: batch.partition,
      offset: record.offset,
      userId,
      version: Number.isNaN(version) ? undefined : version,
      eventId: event?.eventId ?? headerText(record, 'ce_id'),
      eventType: event?.type,
      recordAt: new Date(record.timestampMs),
      value: record.value ?? Buffer.alloc(0),
    }
    return { letter, failure }
  })
}

export function gap<E extends ProjectedEvent>(
  batch: Pick<RecordBatch, 'topic' | 'partition'>,
  item: Delivered<E>,
  knownVersion: number,
  clock: Clock,
): PartitionFailure {
  const { version: seenVersion } = item
  const problem = `Version ${seenVersion} follows version ${knownVersion} of the user: ${seenVersion - knownVersion - 1} missing`
  const place = { ...placeOf(batch, item), knownVersion, seenVersion }
  return failureOf('ERR_PROJECTION_VERSION_GAP', problem, place, clock)
}

export function placeOf<E extends ProjectedEvent>(
  { topic, partition }: Pick<RecordBatch, 'topic' | 'partition'>,
  { event, record, userId }: Delivered<E>,
): FailurePlace {
  const { eventId, type: eventType } = event ?? {}
  return { topic, partition, offset: record.offset, ...given({ userId, eventId, eventType }) }
}

const failureOf = (code: FailureCode, problem: string, place: FailurePlace, clock: Clock) =>
  partitionFailure(code, problem, place, new Date(clock.now()))

// serializeError hides what a driver quotes: row values have no place in a log line or a checkpoint.
function reasonOf(error: unknown): string {
  const { code, name, message } = serializeError(error)
  return `${code ?? name}: ${message.replace(/[.\s]+$/, '')}`
}

export const headerText = ({ headers }: KafkaRecord, name: string) => headers[name]?.toString('latin1')

const userIdIn = (text: string | undefined) => (text !== undefined && UUID.test(text) ? text.toLowerCase() : undefined)
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

const given = <T extends Record<string, string | undefined>>(facts: T) =>
  Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: string
  }
