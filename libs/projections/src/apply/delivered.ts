import { MAX_EVENT_BYTES, sequenceOf } from '@rollcall/events'
import type { KafkaRecord, RecordBatch } from '@rollcall/kafka'
import { serializeError } from '@rollcall/observability'
import type { Clock } from '../clock.js'
import type { ProjectedEvent } from '../define-projection.js'
import type { Parking } from '../parking/parking.js'
import type { PartitionFailure } from '../parking/partition-failure.js'
import { type FailureCode, type FailurePlace, partitionFailure } from '../projection-errors.js'
import type { Decision } from './decide.js'

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

/**
 * The event, when the library can keep its user and version; what reads Avro looks at the form of neither.
 *
 * @throws Error that says why not.
 */
export function sane<E extends ProjectedEvent>(event: E): E {
  if (!LOWER_UUID.test(event.userId)) throw new Error('its user id is no UUID in lower case')
  if (!(event.version >= 1)) throw new Error(`its version is ${event.version}, and versions start at 1`)
  return event
}

/** Named by its key and headers alone. */
export function unreadable<E>(
  { topic, partition }: Pick<RecordBatch, 'topic' | 'partition'>,
  record: KafkaRecord,
  error: unknown,
  clock: Clock,
): Delivered<E> {
  // The key before the header: it is what put the record into this partition.
  const userId = userIdIn(record.key?.toString('latin1', 0, 37)) ?? userIdIn(headerText(record, 'ce_subject'))
  const version = sequenceOf(record.headers) ?? Number.NaN
  const eventId = eventIdIn(record)
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
  { verdicts }: Pick<Decision, 'verdicts'>,
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
      eventId: storable(event?.eventId) ?? eventIdIn(record),
      eventType: event?.type,
      recordAt: timeOf(record),
      value: keptOf(record),
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
  return { topic, partition, offset: record.offset, ...given({ userId, eventId: storable(eventId), eventType }) }
}

/** When the record was made, as far as a database can say it: a producer may write any 64 bits. */
export const timeOf = ({ timestampMs }: KafkaRecord) =>
  new Date(timestampMs >= 0 && timestampMs < YEAR_10000 ? timestampMs : 0)
const YEAR_10000 = 253_402_300_800_000

/** What is kept of a record that waits. One that is longer than any event stays in the topic: nothing reads it anyway. */
function keptOf({ value }: KafkaRecord): Buffer {
  return value === null || value.length > MAX_EVENT_BYTES ? Buffer.alloc(0) : value
}

const failureOf = (code: FailureCode, problem: string, place: FailurePlace, clock: Clock) =>
  partitionFailure(code, problem, place, new Date(clock.now()))

// serializeError hides what a driver quotes: row values have no place in a log line or a checkpoint. Postgres stores neither
// NUL nor half a surrogate, and a failure that cannot be stored would stop everybody.
function reasonOf(error: unknown): string {
  const { code, name, message } = serializeError(error)
  const words = message.slice(0, MAX_REASON).replace(/[.\s]+$/, '')
  return `${code ?? name}: ${words}`.replaceAll('\0', '\ufffd').replace(/\p{Surrogate}/gu, '\ufffd')
}

const MAX_REASON = 1_000

export const headerText = ({ headers }: KafkaRecord, name: string) => headers[name]?.toString('latin1', 0, MAX_HEADER)

// Of the header only what can be an id: any bytes may stand there.
function eventIdIn(record: KafkaRecord): string | undefined {
  return storable(headerText(record, 'ce_id'))
}

const storable = (id: string | undefined) =>
  id !== undefined && id.length < MAX_HEADER && /^[\x21-\x7e]+$/.test(id) ? id : undefined

const MAX_HEADER = 200

const userIdIn = (text: string | undefined) => (text !== undefined && UUID.test(text) ? text.toLowerCase() : undefined)
export const LOWER_UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

const given = <T extends Record<string, string | undefined>>(facts: T) =>
  Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: string
  }
