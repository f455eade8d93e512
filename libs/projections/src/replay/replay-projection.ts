import { partitionOf } from '@rollcall/kafka'
import { type Logger, serializeError } from '@rollcall/observability'
import { type Effects, HandlerFailure } from '../apply/apply-effects.js'
import type { Clock } from '../clock.js'
import type { ProjectedEvent, Projection } from '../define-projection.js'
import type { LogSource } from '../log-source.js'
import type { Heal } from '../parking/heal-gaps.js'
import { EventsGoneError, EventsUnavailableError } from '../projection-errors.js'
import { type ChangedRow, changedRows } from '../store/changed-rows.js'
import type { ProjectionStore } from '../store/projection-store.js'
import { rehearsable } from '../store/rehearsable.js'
import { knownVersion } from '../store/version-table.js'
import { holdPartition } from '../verify/hold-partition.js'
import { collectEvents, type UserRecords } from './collect-events.js'

export interface ReplayerOptions<E extends ProjectedEvent, Tx> {
  readonly projection: Projection<E, Tx>
  readonly effects: Effects<E, Tx>
  readonly store: ProjectionStore<Tx>
  readonly kafka: LogSource
  readonly decode: (value: Buffer) => E | Promise<E>
  /** For events the topic has lost. */
  readonly heal: Heal | undefined
  readonly logger: Logger
  readonly clock: Clock
}

export interface ReplayRequest {
  readonly actor: string
  readonly reason: string
  /** A time: events stamped since. A version: events of that version or a later one; of one user only. */
  readonly from: Date | number
  readonly userId?: string | undefined
  /** Says what would be replayed; of one user, also which rows would change. @default false */
  readonly dryRun?: boolean
  /** Most failures listed; all are counted. @default 100 */
  readonly limit?: number
  readonly signal?: AbortSignal
  readonly progress?: (progress: ReplayProgress) => void
}

export interface ReplayProgress {
  /** Partitions done, of `total`. */
  readonly partitions: number
  readonly total: number
  readonly users: number
  readonly events: number
}

export interface ReplayReport {
  readonly projection: string
  /** Users whose events were applied again, or would be. */
  readonly users: number
  readonly events: number
  /** Users left as they were. */
  readonly failed: number
  readonly failures: readonly ReplayFailure[]
  /** A rehearsal of one user: the rows as they are and as they would be; those that stay the same are left out. */
  readonly rows: readonly ChangedRow[] | null
  readonly dryRun: boolean
  readonly tookMs: number
}

export interface ReplayFailure {
  readonly userId: string
  readonly problem: string
}

/** Applies events once more that are applied already. */
export interface Replayer {
  /** @throws ReplayTooLargeError */
  replay(request: ReplayRequest): Promise<ReplayReport>
}

/**
 * Events that are applied already go through the handler as it is now, a user's in one transaction, so that readers see
 * only where they lead. Versions and positions stay where they are, and whatever comes new waits for that transaction.
 */
export function replayer<E extends ProjectedEvent, Tx>(options: ReplayerOptions<E, Tx>): Replayer {
  const { projection, effects, store, kafka, decode, heal, logger, clock } = options
  const { name, topic } = projection

  async function replayUser(
    userId: string,
    partition: number,
    collected: UserRecords,
    { actor, reason, dryRun = false, userId: asked, from, signal = NEVER }: ReplayRequest,
  ): Promise<Replayed> {
    const records = new Map(collected)
    for (let attempt = 0; ; attempt++) {
      const result = await rehearsable(store, dryRun, async (transaction): Promise<Replayed | Missing> => {
        // No version of the user moves from here on.
        await holdPartition(transaction.sql, name, partition)
        const known = await knownVersion(transaction.sql, name, userId)
        // What waits behind a parked user was never applied.
        const applied = [...records.keys()].filter((version) => version <= known).sort((a, b) => a - b)
        const first = typeof from === 'number' ? Math.max(1, from) : applied[0]
        if (first === undefined || known < first) return { events: 0, rows: [] }
        const missing = range(first, known).filter((version) => !records.has(version))
        if (missing.length > 0) return { missing }
        const events: E[] = []
        for (let version = first; version <= known; version++) {
          events.push(await decode(records.get(version) as Buffer))
        }
        await effects.apply(events, transaction, [])
        const facts = { fromVersion: first, toVersion: known }
        await transaction.noteAct({ projection: name, act: 'replay.user', actor, userId, reason, facts })
        const rows = dryRun && asked !== undefined ? await changedRows(transaction, store) : []
        return { events: events.length, rows }
      })
      if (!('missing' in result)) return result
      if (attempt >= MOST_ATTEMPTS) throw new Error('the user moved on each time; replay it again')
      for (const [version, value] of await fetchMissing(userId, result.missing, signal)) records.set(version, value)
    }
  }

  /** What the topic has lost, or what the user has moved on by since the topic was read. */
  async function fetchMissing(userId: string, missing: readonly number[], signal: AbortSignal) {
    const [fromVersion = 1, toVersion = fromVersion] = [missing[0], missing.at(-1)]
    if (heal === undefined) {
      throw new EventsGoneError(userId, fromVersion, toVersion, 'the topic lacks them, and no registry is known')
    }
    const found = new Map<number, Buffer>()
    for (let at = fromVersion; at <= toVersion; at += MOST_AT_ONCE) {
      const upTo = Math.min(toVersion, at + MOST_AT_ONCE - 1)
      const values = await heal({ userId, fromVersion: at, toVersion: upTo, signal })
      for (const [index, value] of values.entries()) found.set(at + index, value)
    }
    return found
  }

  return {
    async replay(request) {
      const { actor, reason, from, userId, dryRun = false, limit = 100, progress = () => {}, signal = NEVER } = request
      const startedAt = clock.now()
      const partitions = (await kafka.offsets(topic.name)).length
      const positions = (await store.read([name]))[0]?.checkpoints ?? []
      const mine = userId === undefined ? undefined : partitionOf(Buffer.from(userId), partitions)
      const chosen = positions.filter(({ partition }) => mine === undefined || partition === mine)
      const failures: ReplayFailure[] = []
      const rows: ChangedRow[] = []
      let [users, events, failed] = [0, 0, 0]
      progress({ partitions: 0, total: chosen.length, users, events })

      for (const [index, { partition, position }] of chosen.entries()) {
        const collected = new Map(
          await collectEvents(kafka, { name, topic: topic.name, partition, until: position, from, userId, signal }),
        )
        // One whose records the topic has lost altogether.
        if (userId !== undefined && typeof from === 'number' && !collected.has(userId)) collected.set(userId, new Map())
        for (const [one, records] of collected) {
          signal.throwIfAborted()
          try {
            const result = await replayUser(one, partition, records, request)
            if (result.events > 0) users++
            events += result.events
            rows.push(...result.rows)
          } catch (error) {
            if (isForAll(error)) throw error
            failed++
            if (failures.length < limit) failures.push({ userId: one, problem: problemOf(error) })
          }
        }
        progress({ partitions: index + 1, total: chosen.length, users, events })
      }

      const since = typeof from === 'number' ? { fromVersion: from } : { since: from.toISOString() }
      const tookMs = clock.now() - startedAt
      logger.info({ projection: name, ...since, users, events, failed, dryRun, tookMs }, 'events replayed')
      if (!dryRun) {
        const facts = { ...since, users, events, failed }
        const ofUser = userId === undefined ? {} : { userId }
        await store.transaction((transaction) =>
          transaction.noteAct({ projection: name, act: 'replay', actor, reason, ...ofUser, facts }),
        )
      }
      const changed = rows.filter(({ before, after }) => JSON.stringify(before) !== JSON.stringify(after))
      const shown = dryRun && userId !== undefined ? changed : null
      return { projection: name, users, events, failed, failures, rows: shown, dryRun, tookMs }
    },
  }

  // Of one user alone is what its handler says, and what is kept of its events.
  function isForAll(error: unknown): boolean {
    return error instanceof EventsUnavailableError || store.isTransient(error)
  }
}

interface Replayed {
  readonly events: number
  readonly rows: readonly ChangedRow[]
}

interface Missing {
  readonly missing: readonly number[]
}

const MOST_ATTEMPTS = 5
/** As many as one page of the registry's events. */
const MOST_AT_ONCE = 500
const NEVER = new AbortController().signal

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)

// serializeError hides what a driver quotes: row values have no place in a report.
function problemOf(error: unknown): string {
  const { code, name, message } = serializeError(error instanceof HandlerFailure ? error.cause : error)
  return `${code ?? name}: ${message}`
}
