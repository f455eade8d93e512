import { type Logger, step as passed } from '@rollcall/observability'
import { type Deferred, type Effects, HandlerFailure } from '../apply/apply-effects.js'
import { type Decision, decide } from '../apply/decide.js'
import { type Delivered, deliveredEvent, gap, handlerFailure, sane, unreadable } from '../apply/delivered.js'
import { runDeferred } from '../apply/run-deferred.js'
import type { Clock } from '../clock.js'
import type { ProjectedEvent, Projection } from '../define-projection.js'
import { partitionFailure, UserNotParkedError } from '../projection-errors.js'
import { type ChangedRow, changedRows } from '../store/changed-rows.js'
import type { OpenParked, ParkedList, ProjectionStore, StoreTransaction } from '../store/projection-store.js'
import { rehearsable } from '../store/rehearsable.js'
import type { DeadLetter, ParkedUser } from './parking.js'
import type { PartitionFailure } from './partition-failure.js'

export interface RedriveOptions<E extends ProjectedEvent, Tx> {
  readonly projection: Projection<E, Tx>
  readonly effects: Effects<E, Tx>
  readonly store: ProjectionStore<Tx>
  readonly decode: (value: Buffer) => E | Promise<E>
  readonly logger: Logger
  readonly clock: Clock
  /** True on a side that is not live. */
  readonly isAside: boolean
}

/** What became of a parked user. */
export interface RedriveResult {
  /** Events applied now. */
  readonly applied: number
  /** Records that still wait; 0: the user is released. */
  readonly left: number
  /** Why it did not go on, when it did not. */
  readonly failure: PartitionFailure | null
}

export interface WhatIf extends RedriveResult {
  /** The rows the retry would change, as they are and as they would be. */
  readonly rows: readonly ChangedRow[]
}

export interface DiscardRequest {
  readonly reason: string
  readonly actor: string
  /** Every waiting record, instead of the first only. */
  readonly all?: boolean
  readonly dryRun?: boolean
}

/** The operator's hands on the parked users of one projection. */
export interface DeadLetters {
  list(limit: number): Promise<ParkedList>
  /** @throws UserNotParkedError */
  show(userId: string): Promise<ParkedUser>
  /** What `retry` would do, in a transaction that is rolled back. @throws UserNotParkedError */
  whatIf(userId: string): Promise<WhatIf>
  /** Applies the waiting records in order, until one fails again. @throws UserNotParkedError */
  retry(userId: string, actor: string): Promise<RedriveResult>
  /** Passes over the first waiting record, or all: their effects never happen. @throws UserNotParkedError */
  discard(userId: string, request: DiscardRequest): Promise<{ readonly discarded: number; readonly left: number }>
}

/** What the healer of gaps does to parked users, beside the operator. */
export interface Redrive<E extends ProjectedEvent> extends DeadLetters {
  /**
   * A retry with the missing events put before what waits. Undefined, and nothing done, when the gap is no longer why the
   * user is parked.
   *
   * @param missing the events after the user's version without a hole; or one that carries the whole state, which jumps over
   * the versions before its own
   * @throws UserNotParkedError
   */
  heal(userId: string, gap: PartitionFailure, missing: readonly E[] | StateOf<E>): Promise<Healing | undefined>
  /** Adds to a gap's user that its events are gone; undefined like `heal`. @throws UserNotParkedError */
  giveUp(userId: string, gap: PartitionFailure, problem: string): Promise<PartitionFailure | undefined>
}

/** One event in the place of all before it. */
export interface StateOf<E extends ProjectedEvent> {
  readonly state: E
}

export interface Healing extends RedriveResult {
  /** The user's version now. */
  readonly version: number
}

/** Records of a user replayed in one transaction. */
const PAGE = 500

/**
 * Replays parked users through the projection's own handler, with the version check of the runner. The user's partition is
 * held meanwhile; its owner looks up who is parked before it goes on.
 */
export function redrive<E extends ProjectedEvent, Tx>(options: RedriveOptions<E, Tx>): Redrive<E> {
  const { projection, effects, store, decode, logger, clock } = options
  const { name, topic } = projection

  async function open(transaction: StoreTransaction<Tx>, userId: string): Promise<OpenParked> {
    const parked = await transaction.openParked(name, userId, PAGE)
    if (parked === undefined) throw new UserNotParkedError(name, userId)
    return parked
  }

  const placeOf = ({ partition }: { readonly partition: number }) => ({ topic: topic.name, partition })

  /** One step of a retry: what can be applied is, in this transaction; the events `missing` from the letters before them. */
  async function step(
    transaction: StoreTransaction<Tx>,
    userId: string,
    { letters, knownVersion, partition }: OpenParked,
    condemned: Condemned | undefined,
    missing: readonly E[] = [],
  ) {
    const deferred: Deferred = []
    const found = missing.map((event, index) => fetched(event, index - missing.length))
    const items = [...found, ...(await Promise.all(letters.map((letter) => delivered(letter))))]
    const place = placeOf({ partition })
    const judged = items.map((item) =>
      item.record.offset === condemned?.offset
        ? { ...item, failure: handlerFailure(place, inTopic(item, letters), condemned.cause, clock) }
        : item,
    )
    const decision = decide(judged, new Map([[userId, knownVersion]]))
    let applied = 0
    for (const [index, { act }] of decision.verdicts.entries()) {
      const { event, record } = judged[index] as Delivered<E>
      if (act !== 'apply' || event === undefined) continue
      // One by one, whatever the form: it is always known which one failed.
      await effects.apply([event], transaction, deferred).catch((error: unknown) => {
        throw new StepFailure(record.offset, error instanceof HandlerFailure ? error.cause : error)
      })
      applied++
    }
    if (applied > 0) await transaction.recordVersions(name, decision.versions)
    return { judged, decision, place, applied, deferred, version: decision.versions.get(userId) ?? knownVersion }
  }

  /** Keeps what a step decided: drops what is done, notes why it ended. */
  async function keep(
    transaction: StoreTransaction<Tx>,
    userId: string,
    { judged, decision, place }: Step<E>,
    unfinished?: PartitionFailure,
  ) {
    const stopAt = decision.verdicts.findIndex(({ act }) => act === 'park')
    const done = stopAt === -1 ? judged.at(-1) : judged[stopAt - 1]
    const stopped = stopAt === -1 ? null : whyStopped(judged[stopAt] as Delivered<E>, decision.verdicts[stopAt], place)
    const failure = stopped ?? unfinished ?? null
    // A user nobody waits behind would be released by dropping nothing.
    const isWithoutLetters = failure !== null && judged.every(({ record }) => record.offset < 0)
    const { left } = isWithoutLetters
      ? { left: 0 }
      : await transaction.dropLetters(name, userId, done?.record.offset ?? -1)
    if (failure !== null) await transaction.addFailure(name, userId, failure)
    return { left, failure }
  }

  function whyStopped(item: Delivered<E>, verdict: Decision['verdicts'][number] | undefined, place: Place) {
    if (item.failure !== undefined) return item.failure
    return gap(place, item, verdict?.act === 'park' ? verdict.knownVersion : 0, clock)
  }

  // Below every letter's: in order before them, told apart, and dropping "up to" one drops none.
  const fetched = (event: E, offset: number): Delivered<E> =>
    deliveredEvent({ offset, timestampMs: 0, key: null, value: null, headers: {} }, event)

  /** A failure names a place in the topic: for an event that came from elsewhere, the first letter it stands before. */
  const inTopic = (item: Delivered<E>, [first]: readonly DeadLetter[]): Delivered<E> => ({
    ...item,
    record: { ...item.record, offset: Math.max(item.record.offset, first?.offset ?? 0) },
  })

  async function delivered(letter: DeadLetter): Promise<Delivered<E>> {
    const { offset, recordAt, value, userId = '', version, eventId } = letter
    const headers = {
      ...(version === undefined ? {} : { ce_sequence: Buffer.from(String(version)) }),
      ...(eventId === undefined ? {} : { ce_id: Buffer.from(eventId) }),
    }
    const record = { offset, timestampMs: recordAt.getTime(), key: Buffer.from(userId), value, headers }
    try {
      const event = sane(await decode(value))
      // The user of a letter that could not be read was told from its key.
      if (event.userId !== userId.toLowerCase()) throw new Error('it is of another user than its key says')
      return deliveredEvent(record, event)
    } catch (error) {
      return unreadable(placeOf(letter), record, error, clock)
    }
  }

  /** Runs `work` in a transaction; when the handler fails, once more without the event it failed on and what is behind. */
  async function withoutFailed<R>(work: (condemned: Condemned | undefined) => Promise<R>): Promise<R> {
    try {
      return await work(undefined)
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error
      return findFailed(work, error)
    }
  }

  /** Steps and keeps until nothing is left or something fails; `missing` goes before the first letters. */
  async function replay(
    userId: string,
    { act, actor, gap, missing = [], state }: Replay<E>,
  ): Promise<Healing | undefined> {
    let applied = 0
    for (let before = state === undefined ? missing : [state]; ; before = []) {
      const result = await withoutFailed((condemned) =>
        store.transaction(async (transaction) => {
          const opened = await open(transaction, userId)
          if (gap !== undefined && !isLast(gap, opened)) return undefined
          passed('redrive.opened')
          const from = jumped(opened, before.length > 0 ? state : undefined)
          const stepped = await step(transaction, userId, from, condemned, before)
          passed('redrive.applied')
          const unfinished = opened.letters.length === 0 ? restOf(gap, stepped.version) : undefined
          const kept = await keep(transaction, userId, stepped, unfinished)
          passed('redrive.kept')
          const facts = {
            applied: stepped.applied,
            left: kept.left,
            failure: kept.failure?.code ?? null,
            ...(before.length === 0 ? {} : { fromVersion: before[0]?.version, toVersion: before.at(-1)?.version }),
            ...(state === undefined ? {} : { fromState: true }),
          }
          await transaction.noteAct({ projection: name, act, actor, userId, facts })
          return { ...kept, applied: stepped.applied, version: stepped.version, deferred: stepped.deferred }
        }),
      )
      if (result === undefined) return undefined
      await runDeferred(result.deferred, { name, logger, suppressed: options.isAside })
      passed('redrive.committed')
      applied += result.applied
      if (result.left === 0 || result.failure !== null) return { ...result, applied }
    }
  }

  /** What a gap without letters has left: nothing else would tell that the user is still behind. */
  function restOf(gap: PartitionFailure | undefined, version: number): PartitionFailure | undefined {
    const target = (gap?.seenVersion ?? 0) - 1
    if (gap === undefined || version >= target) return undefined
    const { code: _, message: __, at: ___, ...place } = gap
    const problem = `Version ${target} is not reached yet`
    return partitionFailure(
      'ERR_PROJECTION_VERSION_GAP',
      problem,
      { ...place, knownVersion: version },
      new Date(clock.now()),
    )
  }

  return {
    list: (limit) => store.listParked(name, limit),
    async show(userId) {
      const user = await store.findParked(name, userId)
      if (user === undefined) throw new UserNotParkedError(name, userId)
      return user
    },
    whatIf: (userId) =>
      withoutFailed((condemned) =>
        rehearsable(store, true, async (transaction) => {
          const stepped = await step(transaction, userId, await open(transaction, userId), condemned)
          const kept = await keep(transaction, userId, stepped)
          return { applied: stepped.applied, ...kept, rows: await changedRows(transaction, store) }
        }),
      ),
    async retry(userId, actor) {
      const { applied, left, failure } = (await replay(userId, { act: 'dead-letters.retry', actor })) as Healing
      logger.info({ projection: name, userId, applied, left }, 'parked user retried')
      return { applied, left, failure }
    },
    heal: (userId, gap, missing) =>
      replay(userId, { act: 'gap.heal', actor: 'rollcall', gap, ...('state' in missing ? missing : { missing }) }),
    giveUp: (userId, gap, problem) =>
      store.transaction(async (transaction) => {
        if (!isLast(gap, await open(transaction, userId))) return undefined
        const { code: _, message: __, at: ___, ...place } = gap
        const failure = partitionFailure('ERR_PROJECTION_EVENTS_GONE', problem, place, new Date(clock.now()))
        await transaction.addFailure(name, userId, failure)
        return failure
      }),
    async discard(userId, { reason, actor, all = false, dryRun = false }) {
      const result = await rehearsable(store, dryRun, async (transaction) => {
        const { letters, knownVersion } = await open(transaction, userId)
        const last = all ? Number.MAX_SAFE_INTEGER : (letters[0]?.offset ?? 0)
        const { dropped, version, left } = await transaction.dropLetters(name, userId, last)
        // What was passed over counts as applied: the next version follows it, and is no gap.
        if (version > knownVersion) await transaction.recordVersions(name, new Map([[userId, version]]))
        const facts = { discarded: dropped, left }
        await transaction.noteAct({ projection: name, act: 'dead-letters.discard', actor, userId, reason, facts })
        return facts
      })
      if (!dryRun) logger.warn({ projection: name, userId, reason, ...result }, 'dead letters discarded')
      return result
    },
  }
}

type Place = { readonly topic: string; readonly partition: number }

interface Step<E extends ProjectedEvent> {
  readonly judged: readonly Delivered<E>[]
  readonly decision: Decision
  readonly place: Place
}

interface Replay<E extends ProjectedEvent> {
  readonly act: string
  readonly actor: string
  /** Only while this is why the user is parked. */
  readonly gap?: PartitionFailure
  readonly missing?: readonly E[]
  /** Instead of the missing events. */
  readonly state?: E
}

/** Where a state is put in, the versions before it count as applied. */
const jumped = (opened: OpenParked, state: ProjectedEvent | undefined): OpenParked =>
  state === undefined ? opened : { ...opened, knownVersion: Math.max(opened.knownVersion, state.version - 1) }

/** True while nobody, no other process either, has done something about the gap. */
function isLast(gap: PartitionFailure, { failures }: OpenParked): boolean {
  const last = failures.at(-1)
  return last?.code === gap.code && last.at === gap.at && last.offset === gap.offset
}

interface Condemned {
  readonly offset: number
  readonly cause: unknown
}

/** The handler failed on the record at the offset; its transaction must roll back. */
class StepFailure extends Error implements Condemned {
  constructor(
    readonly offset: number,
    override readonly cause: unknown,
  ) {
    super('a handler failed')
  }
}

async function findFailed<R>(work: (condemned: Condemned) => Promise<R>, failure: StepFailure): Promise<R> {
  try {
    return await work(failure)
  } catch (error) {
    // An earlier event fails where it did not before: the handler is not a function of its events alone. It is the one.
    if (error instanceof StepFailure && error.offset < failure.offset) return findFailed(work, error)
    throw error instanceof StepFailure ? error.cause : error
  }
}
