import { type Logger, serializeError, step } from '@rollcall/observability'
import { backOffMs } from '../apply/retry-policy.js'
import type { Clock } from '../clock.js'
import type { ProjectedEvent, Projection } from '../define-projection.js'
import { EventsGoneError, EventsUnavailableError, UserNotParkedError } from '../projection-errors.js'
import type { ProjectionMetrics } from '../projection-metrics.js'
import type { ProjectionStore } from '../store/projection-store.js'
import type { ParkingLimits } from './parking.js'
import type { PartitionFailure } from './partition-failure.js'
import type { Redrive } from './redrive.js'

/** The versions missing between the last one applied and the first that waits, both inclusive; at most 500. */
export interface HealRequest {
  readonly userId: string
  readonly fromVersion: number
  readonly toVersion: number
  readonly signal: AbortSignal
}

/**
 * Fetches missing events: their encoded record values, in version order, none left out.
 *
 * @throws EventsGoneError when they are kept nowhere; whatever else it throws is tried again
 */
export type Heal = (request: HealRequest) => Promise<readonly Buffer[]>

export interface GapHealerOptions<E extends ProjectedEvent, Tx> {
  readonly projection: Projection<E, Tx>
  readonly heal: Heal
  /** A user's whole state, as the value of an event of its last version; asked when its events are gone. */
  readonly state?: ((userId: string, signal: AbortSignal) => Promise<Buffer | undefined>) | undefined
  readonly redrive: Redrive<E>
  readonly store: ProjectionStore<Tx>
  readonly decode: (value: Buffer) => E | Promise<E>
  readonly logger: Logger
  readonly metrics: ProjectionMetrics
  readonly clock: Clock
  readonly parkingLimits: ParkingLimits
}

export interface GapHealer {
  /** Idempotent. */
  start(): void
  /** Looks at once: somebody was parked. */
  wake(): void
  /** Heals one user now, through all its gaps. Rejects when the events cannot be fetched now; the look-out goes on trying. */
  heal(userId: string, gap: PartitionFailure): Promise<void>
  close(): Promise<void>
}

interface Delay {
  readonly attempt: number
  readonly until: number
}

/** Heals the version gaps of one projection; any number of processes may do so at once. */
export function gapHealer<E extends ProjectedEvent, Tx>(options: GapHealerOptions<E, Tx>): GapHealer {
  const { projection, redrive, store, logger, metrics, clock } = options
  const { name } = projection
  const closing = new AbortController()
  const delays = new Map<string, Delay>()
  let nap = new AbortController()
  let loop: Promise<void> | undefined

  async function run(): Promise<void> {
    for (let idle = 0; !closing.signal.aborted; ) {
      // Before the look: what is parked while it runs wakes the nap after it.
      nap = new AbortController()
      idle = (await look()) > 0 ? 0 : idle + 1
      if (closing.signal.aborted) return
      const nextMs = Math.min(...[...delays.values()].map(({ until }) => until - clock.now()))
      await clock.wait(Math.max(1, Math.min(nextMs, backOffMs(idle + 3, LONGEST_NAP_MS, clock.random))), nap.signal)
    }
  }

  /** Answers how many users it found with a gap. */
  async function look(): Promise<number> {
    try {
      const row = (await store.read([name]))[0]
      const mayHeal = row !== undefined && row.state !== 'paused' && row.version <= projection.version
      const gaps = mayHeal && row.parkedUsers > 0 ? await store.gaps(name, options.parkingLimits.users) : NONE
      for (const userId of delays.keys()) if (!gaps.has(userId)) delays.delete(userId)
      for (const [userId, gap] of gaps) {
        if (closing.signal.aborted) break
        if ((delays.get(userId)?.until ?? 0) <= clock.now()) await healUser(userId, gap)
      }
      return gaps.size
    } catch (error) {
      if (!store.isTransient(error)) logger.warn({ projection: name, err: serializeError(error) }, 'gap look-up failed')
      return 0
    }
  }

  async function healUser(userId: string, first: PartitionFailure): Promise<void> {
    try {
      await healGaps(userId, first)
    } catch (error) {
      if (closing.signal.aborted || error instanceof UserNotParkedError) return
      const attempt = (delays.get(userId)?.attempt ?? 0) + 1
      const waitMs = backOffMs(attempt, LONGEST_DELAY_MS, clock.random)
      delays.set(userId, { attempt, until: clock.now() + waitMs })
      const facts = { projection: name, userId, attempt, waitMs, err: serializeError(error) }
      if (attempt === 1 || attempt % 10 === 0) logger.warn(facts, 'gap healing will be tried again')
    }
  }

  async function healGaps(userId: string, first: PartitionFailure): Promise<void> {
    for (let gap: PartitionFailure | undefined = first; gap !== undefined && !closing.signal.aborted; ) {
      gap = await healGap(userId, gap)
      delays.delete(userId)
    }
  }

  /** Answers the user's next gap, when it ended at one. */
  async function healGap(userId: string, gap: PartitionFailure): Promise<PartitionFailure | undefined> {
    const { seenVersion = 0 } = gap
    const fromVersion = (await store.knownVersion(name, userId)) + 1
    const toVersion = Math.min(seenVersion - 1, fromVersion + MOST_AT_ONCE - 1)
    const missing = await fetchMissing(userId, fromVersion, toVersion).catch((error: unknown) => {
      if (error instanceof EventsGoneError) return error
      throw error
    })
    const state = missing instanceof EventsGoneError ? await stateAt(userId, seenVersion - 1) : undefined
    if (missing instanceof EventsGoneError && state === undefined) {
      const failure = await redrive.giveUp(userId, gap, missing.message.replace(/\.$/, ''))
      if (failure !== undefined) logger.error({ projection: name, failure }, 'gap cannot be healed')
      return undefined
    }
    step('heal.fetched')
    const healing = await redrive.heal(userId, gap, state === undefined ? (missing as readonly E[]) : { state })
    if (healing === undefined) return undefined
    const { applied, left, version, failure } = healing
    if (version >= seenVersion - 1) {
      metrics.gapsHealed.inc({ projection: name })
      const facts = { projection: name, userId, fromVersion, toVersion, applied, left, fromState: state !== undefined }
      logger.info(facts, 'gap healed')
    }
    if (failure === null) return undefined
    if (failure.code === gap.code) return failure
    logger.error({ projection: name, failure }, 'user stays parked')
    return undefined
  }

  /**
   * The user's state at the version or a later one. Not for `on`: its handlers are told what happened, and a state is not
   * something that happened.
   */
  async function stateAt(userId: string, version: number): Promise<E | undefined> {
    if (projection.on !== undefined) return undefined
    const value = await options.state?.(userId, closing.signal)
    const event = value && (await options.decode(value))
    return event !== undefined && event.userId === userId && event.version >= version ? event : undefined
  }

  async function fetchMissing(userId: string, fromVersion: number, toVersion: number): Promise<readonly E[]> {
    // An operator passed over what waited behind the gap.
    if (toVersion < fromVersion) return []
    const values = await options.heal({ userId, fromVersion, toVersion, signal: closing.signal })
    const wanted = toVersion - fromVersion + 1
    if (values.length < wanted) {
      throw new EventsGoneError(userId, fromVersion, toVersion, `only ${values.length} of ${wanted} events were found`)
    }
    const events: E[] = []
    for (const value of values) events.push(await options.decode(value))
    const fits = events.every((one, index) => one.userId === userId && one.version === fromVersion + index)
    if (fits && events.length === wanted) return events
    throw new EventsUnavailableError(userId, fromVersion, toVersion, 'the answer holds other events')
  }

  return {
    start() {
      loop ??= run()
    },
    wake: () => nap.abort(),
    async heal(userId, gap) {
      await healGaps(userId, gap).catch((error: unknown) => {
        // Healed by the look-out, or by another process, meanwhile.
        if (!(error instanceof UserNotParkedError)) throw error
      })
    },
    async close() {
      closing.abort()
      nap.abort()
      await loop
    },
  }
}

/** As many as one page of the registry's events. */
const MOST_AT_ONCE = 500
const LONGEST_DELAY_MS = 60_000
const LONGEST_NAP_MS = 10_000
const NONE: ReadonlyMap<string, PartitionFailure> = new Map()
