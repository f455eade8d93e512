import { SchemaRegistryRefusedError } from '@rollcall/events'
import type { KafkaRecord, RecordBatch } from '@rollcall/kafka'
import { beginSpan, currentTraceparent, type Logger, serializeError, step, withSpan } from '@rollcall/observability'
import type { Clock } from '../clock.js'
import type { ProjectedEvent } from '../define-projection.js'
import type { Parking, ParkingLimits } from '../parking/parking.js'
import type { FailureCode, FailurePlace } from '../projection-errors.js'
import type { ProjectionMetrics } from '../projection-metrics.js'
import type { Claim, ProjectionStore } from '../store/projection-store.js'
import { type Deferred, type Effects, HandlerFailure } from './apply-effects.js'
import { type Decision, decide } from './decide.js'
import {
  type Delivered,
  deliveredEvent,
  handlerFailure,
  headerText,
  parkingsOf,
  placeOf,
  sane,
  timeOf,
  unreadable,
} from './delivered.js'
import { nextWaitMs } from './retry-policy.js'
import { retryTransient } from './retry-transient.js'
import { runDeferred } from './run-deferred.js'

/** One partition as this process holds it. A new claim is a new `Held`, so work under an old one finds itself fenced. */
export interface Held {
  claim: Claim
  state: 'running' | 'stopping' | 'stopped' | 'lost'
  /** Its parked users; true for as long as the checkpoint's `parking` is the claim's. */
  parked: Set<string>
  /** Records before this offset were applied before the read model was emptied for a rebuild: a replay. */
  replayTo?: number
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
  readonly parkingLimits: ParkingLimits
  /** True on a side that is not live: nothing is done after commits. */
  readonly isAside: boolean
  /** Aborts waits when the process closes. */
  readonly signal: AbortSignal
  /** Told of every commit. */
  readonly committed: (held: Held, decision: Decision, tookMs: number) => void
}

/** A stretch of one partition: its records, up to the offset `to`. */
export interface Work<E> {
  readonly held: Held
  readonly batch: RecordBatch
  readonly items: readonly Delivered<E>[]
  readonly to: number
}

/** Stretches begin or end at `replayTo`, so one record tells for all. */
export const isReplay = <E>({ held: { replayTo }, items: [first] }: Work<E>): boolean =>
  replayTo !== undefined && first !== undefined && first.record.offset < replayTo

/** How a stretch of records ended; `stopped` says where and why, so that the caller stops the partition. */
export type Outcome =
  | { readonly end: 'applied' }
  /** The partition was revoked, or the process closes: nothing is wrong. */
  | { readonly end: 'dropped' }
  /** Another claim owns the partition; nothing of the stretch was written. */
  | { readonly end: 'fenced' }
  | { readonly end: 'stopped'; readonly code: FailureCode; readonly problem: string; readonly place: FailurePlace }

/**
 * Applies records of one partition up to the offset `to`: decodes them and has them applied. What cannot be read is kept
 * aside like what cannot be applied.
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
  const items: Delivered<E>[] = []
  for (const record of records) {
    const { value } = record
    if (record.unreadable !== undefined) {
      items.push(unreadable(batch, record, record.unreadable, options.clock))
      continue
    }
    // A tombstone: nothing to project.
    if (value === null) continue
    let item: Delivered<E> | undefined
    try {
      const decoded = options.decode(value)
      // No await on the fast path: it costs a turn of the microtask queue per record.
      item = deliveredEvent(record, sane(isPromise(decoded) ? await decoded : decoded))
    } catch (error) {
      item = await readAgain(record, value, error, batch, options)
    }
    if (item === undefined) return DROPPED
    items.push(item)
  }
  step('runner.decoded')
  return apply({ held, batch, items, to })
}

const APPLIED: Outcome = { end: 'applied' }
const DROPPED = { end: 'dropped' } as const
const FENCED: Outcome = { end: 'fenced' }

const READ_AGAIN = { isTransient: isRefusal, maxAttempts: Number.POSITIVE_INFINITY }

/**
 * The registry of schemas may be away while a new schema arrives, or refuse us: neither is the record's fault, and both
 * would park everybody. Bytes that are no event stay so.
 *
 * @returns undefined when the work was taken away meanwhile
 */
async function readAgain<E extends ProjectedEvent, Tx>(
  record: KafkaRecord,
  value: Buffer,
  first: unknown,
  batch: RecordBatch,
  options: ApplyOptions<E, Tx>,
): Promise<Delivered<E> | undefined> {
  let error = first
  for (let attempt = 1; ; attempt++) {
    const waitMs = nextWaitMs(error, attempt, { ...READ_AGAIN, random: options.clock.random })
    if (waitMs === undefined) return unreadable(batch, record, error, options.clock)
    if (!(await waitToRetry(waitMs, attempt, error, batch, options))) return undefined
    try {
      return deliveredEvent(record, sane(await options.decode(value)))
    } catch (again) {
      error = again
    }
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof SchemaRegistryRefusedError
}

/** Applies the work as one transaction; an event that fails for good is found, and parks its user. */
export async function applyWork<E extends ProjectedEvent, Tx>(
  work: Work<E>,
  options: ApplyOptions<E, Tx>,
): Promise<Outcome> {
  const { held, batch, items, to } = work
  if (to <= held.claim.position) return APPLIED
  try {
    return await applyOnce(work, options)
  } catch (error) {
    if (error instanceof ParkingFullFailure) {
      const index = items.findIndex(({ record }) => record.offset === error.offset)
      const full = items[index]
      if (full === undefined) throw error
      const before = { held, batch, items: items.slice(0, index), to: full.record.offset }
      const outcome = await applyWork(before, options)
      if (outcome.end !== 'applied') return outcome
      return {
        end: 'stopped',
        code: 'ERR_PROJECTION_PARKING_FULL',
        problem: error.message,
        place: placeOf(batch, full),
      }
    }
    const index = error instanceof HandlerFailure ? error.index : items.length === 1 ? 0 : undefined
    const failed = index === undefined ? undefined : items[index]
    if (failed !== undefined) {
      // Given to no handler any more, and it still fails: it is not the event.
      if (failed.failure !== undefined) throw error
      const cause = error instanceof HandlerFailure ? error.cause : error
      const condemned = { ...failed, failure: handlerFailure(batch, failed, cause, options.clock) }
      return applyWork({ ...work, items: items.map((item) => (item === failed ? condemned : item)) }, options)
    }
    const half = items.length >> 1
    const middle = items[half]
    if (middle === undefined) throw error
    const first = await applyWork({ held, batch, items: items.slice(0, half), to: middle.record.offset }, options)
    return first.end === 'applied' ? applyWork({ held, batch, items: items.slice(half), to }, options) : first
  }
}

/** One transaction, tried again while the failure may pass. @throws what failed for good */
async function applyOnce<E extends ProjectedEvent, Tx>(work: Work<E>, options: ApplyOptions<E, Tx>): Promise<Outcome> {
  const { batch } = work
  for (let attempt = 1; ; attempt++) {
    if (batch.isStale() || options.signal.aborted) return DROPPED
    try {
      await transact([work], options)
      return APPLIED
    } catch (error) {
      if (error === LOST) return afterLoss(work, options)
      if (options.isAside && (await isGone(options))) return DROPPED
      const cause = error instanceof HandlerFailure ? error.cause : error
      const { store, clock, maxHandlerAttempts: maxAttempts } = options
      const waitMs = nextWaitMs(cause, attempt, { isTransient: store.isTransient, maxAttempts, random: clock.random })
      if (waitMs === undefined) throw error
      if (!(await waitToRetry(waitMs, attempt, cause, batch, options))) return DROPPED
    }
  }
}

/** A side that was dropped takes its tables with it: that is no failure of a handler. */
async function isGone<E extends ProjectedEvent, Tx>({ name, store }: ApplyOptions<E, Tx>): Promise<boolean> {
  // A database that is away answers nothing; the error at hand says so too, and is dealt with by itself.
  const rows = await store.read([name]).catch(() => undefined)
  return rows?.length === 0
}

const LOST = new Error('the partition belongs to another claim')

/**
 * Runs the work of one partition, or of several, in one transaction: all of it or nothing.
 *
 * @throws HandlerFailure with the index among all items; ParkingFullFailure; what else the database or the handler said
 */
export function transact<E extends ProjectedEvent, Tx>(
  works: readonly Work<E>[],
  options: ApplyOptions<E, Tx>,
): Promise<void> {
  const { name, store, effects, metrics, parkingLimits, clock } = options
  const all = works.flatMap(({ items }) => items)
  const users = new Set<string>()
  for (const { userId } of all) if (userId !== undefined) users.add(userId)
  const moves = works.map(({ held, items, to }) => {
    const last = items.at(-1)
    return { claim: held.claim, to, recordAt: last && timeOf(last.record) }
  })
  const attributes = { 'messaging.batch.message_count': all.length, partitions: works.length }
  return withSpan(`project ${name}`, { kind: 'consumer', attributes }, async () => {
    const spans = eventSpans(name, all)
    const end = metrics.batchSeconds.startTimer({ projection: name })
    const startedAt = clock.now()
    const deferred: Deferred = []
    try {
      const settled = await store.transaction(async (transaction) => {
        const known = await transaction.advance(moves, [...users])
        if (known === undefined) throw LOST
        step('runner.advanced')
        const decided = works.map(({ items, held }) => decide(items, known, held.parked))
        const chosen = chosenOf(works, decided)
        if (chosen.length > 0) {
          await applyChosen(all, chosen, (events) => effects.apply(events, transaction, deferred))
          step('runner.applied')
          await transaction.recordVersions(name, new Map(decided.flatMap(({ versions }) => [...versions])))
          step('runner.versions-recorded')
        }
        const results = works.map((work, at): Settled<E> => {
          const decision = decided[at] as Decision
          return { work, decision, parkings: parkingsOf(work, decision, clock) }
        })
        const parkings = results.flatMap((result) => result.parkings)
        if (parkings.length > 0) {
          const full = await transaction.park(name, parkings, parkingLimits)
          if (full !== undefined) throw new ParkingFullFailure(full.offset, full.problem)
          step('runner.parked')
        }
        return results
      })
      step('runner.committed')
      const tookMs = clock.now() - startedAt
      for (const one of settled) settle(one, tookMs, options)
      const suppressed = options.isAside || works.some(isReplay)
      if (deferred.length > 0) await runDeferred(deferred, { name, logger: options.logger, suppressed })
    } catch (error) {
      for (const span of spans) span.fail(error)
      throw error
    } finally {
      end()
      for (const span of spans) span.end()
    }
  })
}

/** No room for another parked user, or for another event of one. */
class ParkingFullFailure extends Error {
  constructor(
    readonly offset: number,
    problem: string,
  ) {
    super(problem)
  }
}

/** The indexes, among all items of the works, of those to apply. */
function chosenOf<E>(works: readonly Work<E>[], decided: readonly Decision[]): number[] {
  const chosen: number[] = []
  let first = 0
  for (const [at, { items }] of works.entries()) {
    for (const [index, { act }] of (decided[at] as Decision).verdicts.entries())
      if (act === 'apply') chosen.push(first + index)
    first += items.length
  }
  return chosen
}

/** Runs the effects of the events to apply, and names a failed one by its index among all items. */
async function applyChosen<E>(
  all: readonly Delivered<E>[],
  chosen: readonly number[],
  apply: (events: readonly E[]) => Promise<void>,
): Promise<void> {
  try {
    await apply(chosen.map((index) => all[index]?.event as E))
  } catch (error) {
    if (error instanceof HandlerFailure) throw new HandlerFailure(chosen[error.index] ?? 0, error.cause)
    throw error
  }
}

interface Settled<E> {
  readonly work: Work<E>
  readonly decision: Decision
  readonly parkings: readonly Parking[]
}

/** After the commit: moves our own idea of the position and of who is parked, counts, and says aloud who was parked. */
function settle<E extends ProjectedEvent, Tx>(
  { work: { held, items, to }, decision, parkings }: Settled<E>,
  tookMs: number,
  { name, metrics, clock, logger, committed }: ApplyOptions<E, Tx>,
): void {
  const { verdicts, parks } = decision
  held.claim = { ...held.claim, position: to }
  for (const userId of parks) held.parked.add(userId)
  const count = (act: string) => verdicts.reduce((sum, verdict) => (verdict.act === act ? sum + 1 : sum), 0)
  metrics.applied.inc({ projection: name }, count('apply'))
  metrics.duplicates.inc({ projection: name }, count('skip'))
  metrics.deadLetters.inc({ projection: name }, parkings.length)
  for (const { failure } of parkings) {
    if (failure !== undefined) logger.error({ projection: name, failure }, 'user parked')
  }
  const last = items.at(-1)
  if (last !== undefined) {
    metrics.delaySeconds.observe({ projection: name }, Math.max(0, clock.now() - last.record.timestampMs) / 1000)
  }
  committed(held, decision, tookMs)
}

/**
 * The compare-and-set missed. Either the answer to our own commit was lost on the way, or somebody released parked users or
 * asks us to halt: then the row is still ours and says how it stands. Or another claim owns the partition, and nothing more
 * may be written under this one. A position below ours is neither: the database went back, and what lies between is not in
 * this batch.
 */
async function afterLoss<E extends ProjectedEvent, Tx>(
  { held, batch, items, to }: Work<E>,
  options: ApplyOptions<E, Tx>,
): Promise<Outcome> {
  const { name, store, metrics, logger } = options
  const { partition, epoch, owner, position, parking } = held.claim
  const retrying = { ...options, isTransient: store.isTransient }
  const rows = await retryTransient(() => store.read([name]), retrying)
  if (rows === undefined) return DROPPED
  const checkpoint = rows[0]?.checkpoints.find((one) => one.partition === partition)
  const isOurs = checkpoint?.epoch === epoch && checkpoint.claimedBy === owner
  const isAhead = isOurs && checkpoint.position > position
  if (isAhead || (isOurs && checkpoint.position === position && checkpoint.parking !== parking)) {
    const parked = await retryTransient(() => store.parkedUsers(name, [partition]), retrying)
    if (parked === undefined) return DROPPED
    const { haltAt } = checkpoint
    held.claim = { ...held.claim, position: checkpoint.position, parking: checkpoint.parking, haltAt }
    held.parked = parked.get(partition) ?? new Set()
    const end = Math.min(to, haltAt ?? to)
    const rest = items.filter(({ record }) => record.offset >= checkpoint.position && record.offset < end)
    return applyWork({ held, batch, items: rest, to: end }, options)
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

/** A span per event whose own trace is sampled, as its continuation; none while tracing is off. */
function eventSpans<E extends ProjectedEvent>(name: string, items: readonly Delivered<E>[]) {
  if (currentTraceparent() === undefined) return []
  return items.flatMap(({ event, record }) => {
    const parent = headerText(record, 'traceparent')
    if (event === undefined || parent === undefined || !isSampled(parent)) return []
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
