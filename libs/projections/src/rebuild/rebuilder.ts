import { withTransaction } from '@rollcall/database'
import { type Logger, serializeError, step } from '@rollcall/observability'
import type { Effects } from '../apply/apply-effects.js'
import type { Clock } from '../clock.js'
import type { ProjectedEvent, Projection } from '../define-projection.js'
import type { LogSource } from '../log-source.js'
import type { ParkingLimits } from '../parking/parking.js'
import { RebuildFailedError, RebuildRunningError, SideMissingError, SidesApartError } from '../projection-errors.js'
import type { ProjectionMetrics } from '../projection-metrics.js'
import type { ProjectionRow, ProjectionStore } from '../store/projection-store.js'
import { buildSide, sideTablesOf } from './build-side.js'
import { caughtUp } from './catch-up.js'
import { cutOver } from './cut-over.js'
import type { Governor } from './governor.js'
import type { MeetingOptions } from './meeting.js'
import { planRebuild, type RebuildPlan } from './plan-rebuild.js'
import { type ProgressTeller, progressTeller } from './progress-teller.js'
import { prove } from './prove.js'
import { rebuildLock } from './rebuild-lock.js'
import { HOUR_MS, hasEnded, type Proof, type RebuildProgress, type RebuildRequest } from './rebuild-progress.js'
import { recordsIn } from './records-in.js'
import { replayInPlace } from './replay-in-place.js'
import { describeTables, dropSide } from './side-tables.js'
import { type Aside, sideName } from './sides.js'

export interface RebuilderOptions<E extends ProjectedEvent, Tx> {
  readonly projection: Projection<E, Tx>
  readonly effects: Effects<E, Tx>
  readonly kafka: LogSource
  readonly store: ProjectionStore<Tx>
  readonly decode: (value: Buffer) => E | Promise<E>
  readonly logger: Logger
  readonly metrics: ProjectionMetrics
  readonly clock: Clock
  readonly instance: string
  readonly parkingLimits: ParkingLimits
  /** Has the control loops of all sides look at once. */
  readonly lookAtSides: () => Promise<void>
}

/** Rebuilds one projection, and changes its sides. */
export interface ProjectionRebuilder {
  /**
   * Begins a rebuild; the projection's row tells how it goes on.
   * @throws RebuildRunningError
   */
  start(reason: string, request?: RebuildRequest): Promise<void>
  /** Does at the start of the process what is due: a newer version is built, a rebuild whose process died is taken up. */
  begin(): Promise<void>
  plan(): Promise<RebuildPlan>
  /** Puts a side that is built in the live one's place, whatever the two differ in. @throws SideMissingError, SidesApartError */
  cutOver(actor: string): Promise<void>
  /** Puts the side from before the last cut-over back; what is live becomes that side. @throws SideMissingError, SidesApartError */
  rollBack(actor: string): Promise<void>
  /** Drops the side that a rebuild has built or is building. @throws SideMissingError */
  abandon(actor: string): Promise<void>
  /** Told what the control loop read. */
  watch(row: ProjectionRow, sides: readonly ProjectionRow[]): void
  /** Told how long a transaction of the live side took. */
  lived(ms: number): void
  close(): Promise<void>
}

/**
 * Where the store has a pool, and the projection's tables are known, a side is built beside the live one, brought to the
 * same position, proven equal and put in its place. Any other projection is replayed by its ordinary runners from the
 * beginning, after its read model was emptied; readers then see it fill.
 */
export function projectionRebuilder<E extends ProjectedEvent, Tx>(
  options: RebuilderOptions<E, Tx>,
): ProjectionRebuilder {
  const { projection, kafka, store, logger, metrics, clock, instance } = options
  const { name, topic } = projection
  const { pool } = store
  const next = sideName(name, 'next')
  const prev = sideName(name, 'prev')
  const closing = new AbortController()
  const { signal } = closing
  const canStandAside = pool !== undefined && sideTablesOf(projection) !== undefined && hasSchemas()
  const inPlace = replayInPlace(options)
  let working: Promise<void> | undefined
  let governor: Governor | undefined
  let nextLookAt = Number.NEGATIVE_INFINITY
  /** Our own attempt ended on something that passes: nobody has to be silent for long before it is taken up. */
  let isInterrupted = false

  // A `table` side is written by its qualified name; handlers need a search path of their own.
  function hasSchemas(): boolean {
    return projection.table !== undefined || store.inSchema !== undefined
  }

  const lock = () => rebuildLock(poolOf(), name)
  /** The process that has just shown the end of a rebuild may hold its lock for another moment. */
  async function lockAfterEnd(): Promise<() => Promise<void>> {
    for (let tries = 0; ; tries++) {
      try {
        return await lock()
      } catch (error) {
        const progress = (await store.read([name]))[0]?.rebuild
        if (!(error instanceof RebuildRunningError) || !progress || !hasEnded(progress) || tries >= 20) throw error
        await clock.wait(100, signal)
      }
    }
  }

  const poolOf = () => {
    if (pool === undefined) throw new SideMissingError(name, 'has no sides: its store has no pool')
    return pool
  }

  const drop = (side: string) => withTransaction(poolOf(), (client) => dropSide(client, side))

  const meetingWith = (side: Aside): MeetingOptions => ({
    live: name,
    other: sideName(name, side),
    topic: topic.name,
    pool: poolOf(),
    kafka,
    clock,
    signal,
  })

  /** The whole way, from wherever the database says a process before us had come. */
  async function rebuild(first: RebuildProgress): Promise<void> {
    const tell = progressTeller(store, name, clock, first)
    try {
      await buildSide(
        { ...options, pool: poolOf(), isTransient: store.isTransient },
        {
          signal,
          tell: (phase, events) => void tell.soon({ phase, events, duty: governor?.duty() ?? 1 }),
          governed: (one) => {
            governor = one
          },
        },
      )
      governor = undefined
      step('rebuild.built')
      await tell({ phase: 'catching up' })
      await near(next, (events) => tell.soon({ events }))
      await tell({ phase: 'proving', events: first.total })
      const shown = await proveNext()
      const { request = {} } = first
      await tell('unproven' in shown ? shown : { proof: shown })
      const objection = 'unproven' in shown || request.cutOver === 'always' ? undefined : objectionTo(shown)
      if (objection !== undefined) return await leaveBuilt(tell, objection)
      await near(next)
      await tell({ phase: 'cutting over' })
      await swap('next', { ...tell.now(), phase: 'done', finishedAt: new Date(clock.now()).toISOString() })
      metrics.rebuildEvents.set({ projection: name }, first.total)
      logger.info({ projection: name, events: first.total, ...summary(shown) }, 'projection rebuilt')
    } catch (error) {
      governor = undefined
      // An hour's work is not thrown away because nobody could be brought to one place just now.
      if (error instanceof SidesApartError && !signal.aborted) return leaveBuilt(tell, error.message)
      // Whoever comes next goes on from here.
      if (signal.aborted || store.isTransient(error)) throw error
      await drop(next)
      await tell({ phase: 'failed', error: serializeError(error).message })
      throw error
    }
  }

  /** The side stays, follows, and waits for an operator. */
  async function leaveBuilt(tell: ProgressTeller, problem: string): Promise<void> {
    await tell({ phase: 'built', error: problem })
    await expireIn(next, tell.now().request?.keepMs ?? HOUR_MS)
    logger.warn({ projection: name, problem }, 'projection rebuilt but not cut over')
  }

  async function proveNext(): Promise<Proof | { readonly unproven: string }> {
    const live = (await store.read([name]))[0]
    if (live?.version !== projection.version) return { unproven: `it replaces version ${live?.version}` }
    const tables = await describeTables(poolOf(), name, sideTablesOf(projection) ?? [])
    return prove({ ...meetingWith('next'), tables })
  }

  async function near(side: string, seen: (events: number) => void = () => {}): Promise<void> {
    await options.lookAtSides()
    await caughtUp({ projection: name, side, topic: topic.name, store, kafka, clock, signal, seen })
  }

  async function swap(side: Aside, progress: RebuildProgress): Promise<void> {
    await cutOver(meetingWith(side), side, progress)
    await options.lookAtSides()
  }

  const expireIn = (side: string, ms: number) =>
    poolOf().query(
      `UPDATE projections.projection SET expires_at = now() + $2::float8 * interval '1 ms' WHERE name = $1`,
      [side, ms],
    )

  async function work(release: () => Promise<void>, progress: RebuildProgress): Promise<void> {
    try {
      await rebuild(progress)
    } catch (error) {
      if (signal.aborted) return
      const isPassing = store.isTransient(error)
      logger[isPassing ? 'warn' : 'error'](
        { projection: name, err: serializeError(error) },
        isPassing ? 'projection rebuild interrupted' : 'projection rebuild failed',
      )
      isInterrupted = isPassing
      if (isPassing) nextLookAt = clock.now() + RESUME_AFTER_MS
    } finally {
      await release()
      working = undefined
    }
  }

  async function resume(): Promise<void> {
    if (!canStandAside || working !== undefined || signal.aborted) return
    const release = await lock().catch((error: unknown) => {
      if (error instanceof RebuildRunningError) return undefined
      throw error
    })
    if (release === undefined) return
    const row = (await store.read([name]))[0]
    const progress = row?.rebuild
    if (!progress || progress.kind === 'replay' || hasEnded(progress)) return release()
    isInterrupted = false
    logger.info({ projection: name, phase: progress.phase }, 'projection rebuild resumed')
    working = work(release, { ...progress, instance })
  }

  /** Holds the right to change sides for as long as the work takes. */
  async function alone<R>(does: () => Promise<R>): Promise<R> {
    const release = await lock()
    try {
      return await does()
    } finally {
      await release()
    }
  }

  const note = (act: string, actor: string) =>
    store.transaction((transaction) => transaction.noteAct({ projection: name, act, actor }))

  /** A later version with other tables must know what to put aside. */
  async function noteTables(): Promise<void> {
    const tables = await describeTables(poolOf(), name, sideTablesOf(projection) ?? []).catch((error: unknown) => {
      // It may still live; that it cannot be rebuilt is said when somebody asks for it.
      if (error instanceof RebuildFailedError) return undefined
      throw error
    })
    if (tables === undefined) return
    const home = tables.map(({ schema, name: table }) => ({ schema, name: table }))
    await poolOf().query('UPDATE projections.projection SET tables = $2::jsonb WHERE name = $1', [
      name,
      JSON.stringify(home),
    ])
  }

  async function sideRow(side: string, missing: string): Promise<ProjectionRow> {
    const row = (await store.read([side]))[0]
    if (row === undefined) throw new SideMissingError(name, missing)
    return row
  }

  /** A side past its time goes; one nobody works at is taken up. */
  async function tend(row: ProjectionRow, sides: readonly ProjectionRow[]): Promise<void> {
    const expired = sides.filter(({ expiresAt }) => expiresAt !== null && expiresAt.getTime() < clock.now())
    for (const { name: side } of expired) {
      await alone(() => drop(side))
      logger.info({ projection: name, side }, 'projection side dropped')
    }
    if (!row.rebuild || hasEnded(row.rebuild) || row.rebuild.kind === 'replay') return
    if (isInterrupted || (row.rebuildAgeMs ?? 0) > SILENT_MS) await resume()
  }

  return {
    async start(reason, request = {}) {
      if (signal.aborted) throw new RebuildFailedError(name, 'the process is closing')
      if (!canStandAside) return inPlace.start(reason)
      const release = await lockAfterEnd()
      try {
        const offsets = await kafka.offsets(topic.name)
        const progress: RebuildProgress = {
          kind: projection.table === undefined ? 'shadow' : 'fold',
          phase: 'reading',
          events: 0,
          total: recordsIn(offsets),
          startedAt: new Date(clock.now()).toISOString(),
          instance,
          request,
        }
        // A side that was built before and not taken is not what is asked for now.
        await drop(next)
        await store.setRebuild(name, progress)
        logger.info({ projection: name, reason, events: progress.total }, 'projection rebuild started')
        working = work(release, progress)
      } catch (error) {
        await release()
        throw error
      }
    },
    cutOver: (actor) =>
      alone(async () => {
        await sideRow(next, 'has no next side to cut over to; rebuild it first')
        await near(next)
        const before = (await store.read([name]))[0]?.rebuild
        const { error: _, ...progress } = before ?? emptyProgress(instance, clock)
        await swap('next', { ...progress, phase: 'done', finishedAt: new Date(clock.now()).toISOString() })
        await note('projections.cut-over', actor)
        logger.warn({ projection: name, actor }, 'projection cut over')
      }),
    rollBack: (actor) =>
      alone(async () => {
        await sideRow(prev, 'has no side from before a cut-over to go back to; it was dropped when its time was over')
        await near(prev)
        const progress = (await store.read([name]))[0]?.rebuild ?? emptyProgress(instance, clock)
        await swap('prev', progress)
        await note('projections.roll-back', actor)
        logger.warn({ projection: name, actor }, 'projection rolled back')
      }),
    async abandon(actor) {
      const row = await sideRow(next, 'has no next side to abandon')
      // The process that builds it meets the missing side, and ends.
      await drop(row.name)
      const progress = (await store.read([name]))[0]?.rebuild
      if (progress) await store.setRebuild(name, { ...progress, phase: 'failed', error: 'abandoned' })
      await note('projections.abandon', actor)
      logger.warn({ projection: name, actor }, 'projection rebuild abandoned')
    },
    async begin() {
      const row = (await store.read([name]))[0]
      if (row === undefined) return
      if (canStandAside && row.version === projection.version) await noteTables()
      if (row.version >= projection.version) return resume()
      const [before] = await store.read([prev])
      if (before?.version === projection.version) {
        // Somebody rolled this version back: to try again is their decision.
        logger.warn(
          { projection: name, version: projection.version, owner: row.version },
          'projection version rolled back',
        )
        return
      }
      if (row.rebuild && !hasEnded(row.rebuild)) return resume()
      await this.start('a newer version of the projection', { cutOver: 'always' }).catch((error: unknown) => {
        // Another process of the new version was first.
        if (!(error instanceof RebuildRunningError)) throw error
      })
    },
    plan: () => planRebuild({ ...options, canStandAside }),
    watch(row, sides) {
      inPlace.watch(row)
      if (!canStandAside || working !== undefined || clock.now() < nextLookAt) return
      nextLookAt = clock.now() + SILENT_MS
      tend(row, sides).catch((error: unknown) => {
        if (error instanceof RebuildRunningError) return
        logger.warn({ projection: name, err: serializeError(error) }, 'projection sides not tended')
      })
    },
    lived: (ms) => governor?.lived(ms),
    async close() {
      closing.abort()
      await working
    },
  }
}

/** Why the proof speaks against a cut-over. */
function objectionTo({ differing, reshaped, parkedLive, parkedNext }: Proof): string | undefined {
  if (differing > 0) return `${differing} rows differ from the live side`
  if (reshaped.length > 0) return `${reshaped.join(', ')} have other columns than on the live side`
  if (parkedNext > parkedLive) return `${parkedNext} users are parked, on the live side ${parkedLive}`
  return undefined
}

const summary = (shown: Proof | { readonly unproven: string }) =>
  'unproven' in shown ? shown : { rows: shown.rows, differing: shown.differing }

const emptyProgress = (instance: string, clock: Clock): RebuildProgress => ({
  kind: 'fold',
  phase: 'done',
  events: 0,
  total: 0,
  startedAt: new Date(clock.now()).toISOString(),
  instance,
})

/** A rebuild that has shown no progress for so long may be dead; whether it is, its lock tells. */
const SILENT_MS = 30_000
const RESUME_AFTER_MS = 2_000
