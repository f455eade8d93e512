import type { KafkaRecord, RecordBatch } from '@rollcall/kafka'
import { beginSpan, currentTraceparent, type Logger, serializeError, withSpan } from '@rollcall/observability'
import { type Effects, HandlerFailure } from './apply-effects.js'
import type { Clock } from './clock.js'
import { type Decision, decide } from './decide.js'
import type { ProjectedEvent } from './define-projection.js'
import type { FailureCode, FailurePlace } from './projection-errors.js'
import type { ProjectionMetrics } from './projection-metrics.js'
import type { Claim, ProjectionStore } from './projection-store.js'
import { nextWaitMs } from './retry-policy.js'
import { retryTransient } from './retry-transient.js'

/** One partition as this process holds it. A new claim is a new `Held`, so work under an old one finds itself fenced. */
export interface Held {
  claim: Claim
  state: 'running' | 'stopping' | 'stopped' | 'lost'
}

export interface ApplyOptions<E extends ProjectedEvent, Tx> {
  readonly name: string
  readonly store: ProjectionStore<Tx>
  readonly effects: Effects<E, Tx>
  readonly decode: (value: Buffer) => E | Promise<E>
  readonly logger: Logger
  readonly metrics: ProjectionMetrics
  readonly clock: Clock
  readonly maxHandlerAttempts: number
  /** Aborts waits when the process closes. */
  readonly signal: AbortSignal
  /** Told of every commit. */
  readonly committed: (held: Held, decision: Decision) => void
}

/** A stretch of one partition: its decoded events, up to the offset `to`. */
export interface Work<E> {
  readonly held: Held
  readonly batch: RecordBatch
  readonly events: readonly Delivered<E>[]
  readonly to: number
}

/** How a stretch of records ended; `stopped` says where and why, so that the caller stops the partition. */
export type Outcome =
  | { readonly end: 'applied' }
  /** The partition was revoked, or the process closes: nothing is wrong. */
  | { readonly end: 'dropped' }
  /** Another claim owns the partition; nothing of the stretch was written. */
  | { readonly end: 'fenced' }
  | { readonly end: 'stopped'; readonly code: FailureCode; readonly problem: string; readonly place: FailurePlace }

export interface Delivered<E> {
  readonly event: E
  readonly record: KafkaRecord
}

/**
 * Applies records of one partition up to the offset `to`: decodes them and has them applied. When an event fails
 * for good, everything before it is committed first, so that the failure named is the partition's only obstacle.
 *
 * @param apply `applyWork`, or what brings it together with the work of other partitions
 */
export async function applyRecords<E extends ProjectedEvent, Tx>(
  held: Held,
  batch: RecordBatch,
  records: readonly KafkaRecord[],
  to: number,
  options: ApplyOptions<E, Tx>,
  apply: (work: Work<E>) => Promise<Outcome>,
): Promise<Outcome> {
  const events: Delivered<E>[] = []
  for (const record of records) {
    // A tombstone: nothing to project.
    if (record.value === null) continue
    try {
      const decoded = options.decode(record.value)
      // No await on the fast path: it costs a turn of the microtask queue per record.
      events.push({ event: isPromise(decoded) ? await decoded : decoded, record })
    } catch (error) {
      const event = await decodeAgain(record.value, error, batch, options)
      if ('event' in event) events.push({ event: event.event, record })
      else if (event.end === 'dropped') return event
      else {
        const before = await apply({ held, batch, events, to: record.offset })
        return before.end === 'applied' ? unreadable(batch, record, event.error) : before
      }
    }
  }
  return apply({ held, batch, events, to })
}

const APPLIED: Outcome = { end: 'applied' }
const DROPPED = { end: 'dropped' } as const
const FENCED: Outcome = { end: 'fenced' }

/** The registry of schemas may be away while a new schema arrives: that passes. Bytes that are no event stay so. */
async function decodeAgain<E extends ProjectedEvent, Tx>(
  value: Buffer,
  first: unknown,
  batch: RecordBatch,
  options: ApplyOptions<E, Tx>,
): Promise<{ readonly event: E } | typeof DROPPED | { readonly end: 'unreadable'; readonly error: unknown }> {
  let error = first
  for (let attempt = 1; ; attempt++) {
    const waitMs = nextWaitMs(error, attempt, { isTransient: () => false, maxAttempts: Number.POSITIVE_INFINITY })
    if (waitMs === undefined) return { end: 'unreadable', error }
    if (!(await waitToRetry(waitMs, attempt, error, batch, options))) return DROPPED
    try {
      return { event: await options.decode(value) }
    } catch (again) {
      error = again
    }
  }
}

/** Applies the work as one transaction, or, when one of its events fails for good, in parts until that one is found. */
export async function applyWork<E extends ProjectedEvent, Tx>(
  work: Work<E>,
  options: ApplyOptions<E, Tx>,
): Promise<Outcome> {
  const { held, batch, events, to } = work
  if (to <= held.claim.position) return APPLIED
  try {
    return await applyOnce(work, options)
  } catch (error) {
    const failed = error instanceof HandlerFailure ? events[error.index] : events.length === 1 ? events[0] : undefined
    if (failed !== undefined) {
      const before = events.slice(0, events.indexOf(failed))
      const outcome = await applyWork({ held, batch, events: before, to: failed.record.offset }, options)
      if (outcome.end !== 'applied') return outcome
      return handlerFailed(batch, failed, error instanceof HandlerFailure ? error.cause : error)
    }
    const middle = events[events.length >> 1]
    if (middle === undefined) throw error
    const half = events.length >> 1
    const first = await applyWork({ held, batch, events: events.slice(0, half), to: middle.record.offset }, options)
    return first.end === 'applied' ? applyWork({ held, batch, events: events.slice(half), to }, options) : first
  }
}

/** One transaction, tried again while the failure may pass. @throws what failed for good */
async function applyOnce<E extends ProjectedEvent, Tx>(work: Work<E>, options: ApplyOptions<E, Tx>): Promise<Outcome> {
  const { batch } = work
  for (let attempt = 1; ; attempt++) {
    if (batch.isStale() || options.signal.aborted) return DROPPED
    try {
      const [outcome = APPLIED] = await transact([work], options)
      return outcome
    } catch (error) {
      if (error === LOST) return afterLoss(work, options)
      const cause = error instanceof HandlerFailure ? error.cause : error
      const { store, maxHandlerAttempts: maxAttempts } = options
      const waitMs = nextWaitMs(cause, attempt, { isTransient: store.isTransient, maxAttempts })
      if (waitMs === undefined) throw error
      if (!(await waitToRetry(waitMs, attempt, cause, batch, options))) return DROPPED
    }
  }
}

const LOST = new Error('the partition belongs to another claim')

/**
 * Runs the work of one partition, or of several, in one transaction: all of it, up to the first gap in each, or nothing.
 *
 * @throws HandlerFailure with the index among all events; what else the database or the handler said
 */
export function transact<E extends ProjectedEvent, Tx>(
  works: readonly Work<E>[],
  options: ApplyOptions<E, Tx>,
): Promise<Outcome[]> {
  const { name, store, effects, metrics } = options
  const all = works.flatMap(({ events }) => events)
  const users = new Set<string>()
  for (const { event } of all) users.add(event.userId)
  const moves = works.map(({ held, events, to }) => {
    const last = events.at(-1)
    return { claim: held.claim, to, recordAt: last && new Date(last.record.timestampMs) }
  })
  const attributes = { 'messaging.batch.message_count': all.length, partitions: works.length }
  return withSpan(`project ${name}`, { kind: 'consumer', attributes }, async () => {
    const spans = eventSpans(name, all)
    const end = metrics.batchSeconds.startTimer({ projection: name })
    try {
      const decisions = await store.transaction(async (transaction) => {
        const known = await transaction.advance(moves, [...users])
        if (known === undefined) throw LOST
        const decided = works.map(({ events }) =>
          decide(
            events.map(({ event }) => event),
            known,
          ),
        )
        const chosen = chosenOf(works, decided)
        if (chosen.length > 0) {
          await applyChosen(all, chosen, (events) => effects.apply(events, transaction))
          await transaction.recordVersions(name, new Map(decided.flatMap(({ versions }) => [...versions])))
        }
        for (const [index, { held, events }] of works.entries()) {
          const stop = events[decided[index]?.stopAt ?? Number.NaN]
          if (stop !== undefined) await transaction.shorten(held.claim, stop.record.offset)
        }
        return decided
      })
      return works.map((work, index) => settle(work, decisions[index] as Decision, options))
    } catch (error) {
      for (const span of spans) span.fail(error)
      throw error
    } finally {
      end()
      for (const span of spans) span.end()
    }
  })
}

/** The indexes, among all events of the works, of those to apply. */
function chosenOf<E>(works: readonly Work<E>[], decided: readonly Decision[]): number[] {
  const chosen: number[] = []
  let first = 0
  for (const [at, { events }] of works.entries()) {
    for (const [index, { act }] of (decided[at] as Decision).verdicts.entries())
      if (act === 'apply') chosen.push(first + index)
    first += events.length
  }
  return chosen
}

/** Runs the effects of the events to apply, and names a failed one by its index among all events. */
async function applyChosen<E extends ProjectedEvent>(
  all: readonly Delivered<E>[],
  chosen: readonly number[],
  apply: (events: readonly E[]) => Promise<void>,
): Promise<void> {
  try {
    await apply(chosen.map((index) => (all[index] as Delivered<E>).event))
  } catch (error) {
    if (error instanceof HandlerFailure) throw new HandlerFailure(chosen[error.index] ?? 0, error.cause)
    throw error
  }
}

/** After the commit: moves our own idea of the position, counts, and says where a gap stopped the batch. */
function settle<E extends ProjectedEvent, Tx>(
  { held, batch, events, to }: Work<E>,
  decision: Decision,
  { name, metrics, clock, committed }: ApplyOptions<E, Tx>,
): Outcome {
  const stop = decision.stopAt === undefined ? undefined : events[decision.stopAt]
  const verdict = decision.stopAt === undefined ? undefined : decision.verdicts[decision.stopAt]
  held.claim = { ...held.claim, position: stop?.record.offset ?? to }
  metrics.applied.inc({ projection: name }, decision.applied)
  const handled = decision.stopAt ?? events.length
  metrics.duplicates.inc({ projection: name }, handled - decision.applied)
  const last = events[handled - 1]
  if (last !== undefined) {
    metrics.delaySeconds.observe({ projection: name }, Math.max(0, clock.now() - last.record.timestampMs) / 1000)
  }
  committed(held, decision)
  if (stop === undefined || verdict?.act !== 'stop') return APPLIED
  const { knownVersion, seenVersion } = verdict
  return {
    end: 'stopped',
    code: 'ERR_PROJECTION_VERSION_GAP',
    problem: `Version ${seenVersion} follows version ${knownVersion} of the user: ${seenVersion - knownVersion - 1} missing`,
    place: { ...placeOf(batch, stop), knownVersion, seenVersion },
  }
}

/**
 * The compare-and-set missed. Either the answer to our own commit was lost on the way, then the row says how far it got;
 * or another claim owns the partition, then nothing more may be written under this one.
 */
async function afterLoss<E extends ProjectedEvent, Tx>(
  { held, batch, events, to }: Work<E>,
  options: ApplyOptions<E, Tx>,
): Promise<Outcome> {
  const { name, store, metrics, logger } = options
  const { partition, epoch, owner, position } = held.claim
  const rows = await retryTransient(() => store.read([name]), { ...options, isTransient: store.isTransient })
  if (rows === undefined) return DROPPED
  const checkpoint = rows[0]?.checkpoints.find((one) => one.partition === partition)
  if (checkpoint?.epoch === epoch && checkpoint.claimedBy === owner && checkpoint.position !== position) {
    held.claim = { ...held.claim, position: checkpoint.position }
    const rest = events.filter(({ record }) => record.offset >= checkpoint.position)
    return applyWork({ held, batch, events: rest, to }, options)
  }
  held.state = 'lost'
  metrics.fenced.inc({ projection: name })
  logger.warn({ projection: name, partition, epoch, position }, 'projection batch fenced')
  return FENCED
}

/** Waits with a living group membership. False when the work was taken away meanwhile. */
async function waitToRetry<E extends ProjectedEvent, Tx>(
  waitMs: number,
  attempt: number,
  error: unknown,
  batch: RecordBatch,
  { name, metrics, logger, clock, signal }: ApplyOptions<E, Tx>,
): Promise<boolean> {
  metrics.retries.inc({ projection: name })
  const facts = { projection: name, partition: batch.partition, attempt, waitMs, err: serializeError(error) }
  // The first and then every tenth: an outage of an hour is not worth ten thousand lines.
  if (attempt === 1 || attempt % 10 === 0) logger.warn(facts, 'projection batch will be tried again')
  for (let left = waitMs; left > 0; left -= HEARTBEAT_EVERY_MS) {
    await clock.wait(Math.min(left, HEARTBEAT_EVERY_MS), signal)
    if (batch.isStale() || signal.aborted) return false
    await batch.heartbeat()
  }
  return true
}

const HEARTBEAT_EVERY_MS = 1_000

function unreadable(batch: RecordBatch, record: KafkaRecord, error: unknown): Outcome {
  const { topic, partition } = batch
  const userId = textHeader(record, 'ce_subject')
  const eventId = textHeader(record, 'ce_id')
  const place = {
    topic,
    partition,
    offset: record.offset,
    ...(userId ? { userId } : {}),
    ...(eventId ? { eventId } : {}),
  }
  const code = 'ERR_PROJECTION_EVENT_UNREADABLE'
  return { end: 'stopped', code, problem: `The record cannot be decoded: ${reasonOf(error)}`, place }
}

function handlerFailed<E extends ProjectedEvent>(batch: RecordBatch, failed: Delivered<E>, error: unknown): Outcome {
  const place = { ...placeOf(batch, failed), seenVersion: failed.event.version }
  return {
    end: 'stopped',
    code: 'ERR_PROJECTION_HANDLER_FAILED',
    problem: `The handler failed: ${reasonOf(error)}`,
    place,
  }
}

function placeOf<E extends ProjectedEvent>(
  { topic, partition }: RecordBatch,
  { event, record }: Delivered<E>,
): FailurePlace {
  const { userId, eventId, type } = event
  return { topic, partition, offset: record.offset, userId, eventId, eventType: type }
}

// serializeError hides what a driver quotes: row values have no place in a log line or a checkpoint.
function reasonOf(error: unknown): string {
  const { code, name, message } = serializeError(error)
  return `${code ?? name}: ${message.replace(/[.\s]+$/, '')}`
}

const textHeader = ({ headers }: KafkaRecord, name: string) => headers[name]?.toString('latin1')

/** A span per event whose own trace is sampled, as its continuation; none while tracing is off. */
function eventSpans<E extends ProjectedEvent>(name: string, events: readonly Delivered<E>[]) {
  if (currentTraceparent() === undefined) return []
  return events.flatMap(({ event, record }) => {
    const parent = textHeader(record, 'traceparent')
    if (parent === undefined || !isSampled(parent)) return []
    const attributes = {
      'rollcall.event.id': event.eventId,
      'rollcall.event.type': event.type,
      'rollcall.user.id': event.userId,
    }
    return beginSpan(`project ${name} ${event.type}`, { parent, kind: 'consumer', attributes })
  })
}

// https://www.w3.org/TR/trace-context/#trace-flags: the last two digits, bit 0.
const isSampled = (traceparent: string) => (Number.parseInt(traceparent.slice(53, 55), 16) & 1) === 1

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && 'then' in value
}
