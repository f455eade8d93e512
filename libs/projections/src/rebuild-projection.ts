import { type Logger, serializeError } from '@rollcall/observability'
import type { Effects } from './apply-effects.js'
import type { Clock } from './clock.js'
import type { ProjectedEvent, Projection } from './define-projection.js'
import { type FoldRebuild, foldRebuild } from './fold-rebuild.js'
import type { LogSource } from './log-source.js'
import { RebuildFailedError } from './projection-errors.js'
import type { ProjectionMetrics } from './projection-metrics.js'
import type { ProjectionRow, ProjectionStore, RebuildProgress } from './projection-store.js'

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
}

/** Rebuilds one projection in place. */
export interface ProjectionRebuilder {
  /**
   * Begins a rebuild; `watch` and the projection's row tell how it goes on.
   * @throws RebuildRunningError
   */
  start(reason: string): Promise<void>
  /** Told what the control loop read; ends a replay whose runners, in whatever process, have arrived. */
  watch(row: ProjectionRow): void
  /** Clears away what a killed rebuild left. */
  sweep(): Promise<void>
  close(): Promise<void>
}

/**
 * A `table` projection over a store with a pool is folded: the topic is read once, the last state of each user is
 * loaded into a table beside the live one, and the two are swapped. Any other is replayed by its ordinary runners from
 * the beginning, after its read model was emptied; readers then see it fill.
 */
export function projectionRebuilder<E extends ProjectedEvent, Tx>(
  options: RebuilderOptions<E, Tx>,
): ProjectionRebuilder {
  const { projection, effects, kafka, store, logger, metrics, clock, instance } = options
  const { name, topic } = projection
  const closing = new AbortController()
  let folding: Promise<void> | undefined
  let ending = false
  let sweptAt = 0

  async function replay(reason: string): Promise<void> {
    const offsets = await kafka.offsets(topic.name)
    const progress: RebuildProgress = {
      kind: 'replay',
      phase: 'catching up',
      events: 0,
      total: offsets.reduce((sum, { low, high }) => sum + high - low, 0),
      startedAt: new Date(clock.now()).toISOString(),
      instance,
      targets: Object.fromEntries(offsets.map(({ partition, high }) => [partition, high])),
    }
    const startAt = new Map(offsets.map(({ partition, low }) => [partition, low]))
    await store.transaction(async (transaction) => {
      await transaction.rewind(projection, startAt, progress)
      await effects.reset(transaction)
    })
    logger.info({ projection: name, reason, events: progress.total }, 'projection rebuild started by replay')
  }

  async function fold(rebuild: FoldRebuild, reason: string): Promise<void> {
    const { run, end } = await rebuild.begin()
    logger.info({ projection: name, reason }, 'projection rebuild started by fold')
    folding = run(closing.signal)
      .then(({ events, users, tookMs }) => {
        metrics.rebuildEvents.set({ projection: name }, events)
        logger.info({ projection: name, events, users, tookMs }, 'projection rebuilt')
      })
      .catch((error: unknown) => {
        if (closing.signal.aborted) return
        logger.error({ projection: name, err: serializeError(error) }, 'projection rebuild failed')
      })
      .finally(end)
      .finally(() => {
        folding = undefined
      })
  }

  const foldable =
    projection.table !== undefined && effects.table !== undefined && store.pool !== undefined
      ? foldRebuild({ ...options, projection, writer: effects.table, pool: store.pool })
      : undefined

  return {
    async start(reason) {
      if (closing.signal.aborted) throw new RebuildFailedError(name, 'the process is closing')
      await (foldable === undefined ? replay(reason) : fold(foldable, reason))
    },
    watch(row) {
      const { rebuild } = row
      const isFolding = rebuild?.kind === 'fold' && rebuild.phase !== 'done' && rebuild.phase !== 'failed'
      if (
        isFolding &&
        folding === undefined &&
        (row.rebuildAgeMs ?? 0) > SILENT_MS &&
        clock.now() > sweptAt + SILENT_MS
      ) {
        sweptAt = clock.now()
        foldable?.sweep().catch((error: unknown) => {
          logger.warn({ projection: name, err: serializeError(error) }, 'remains of a rebuild not cleared away')
        })
      }
      if (rebuild?.kind !== 'replay' || rebuild.phase !== 'catching up' || ending) return
      const positions = new Map(row.checkpoints.map(({ partition, position }) => [String(partition), position]))
      const arrived = Object.entries(rebuild.targets ?? {}).every(
        ([partition, end]) => (positions.get(partition) ?? 0) >= end,
      )
      if (!arrived) return
      ending = true
      const finishedAt = new Date(clock.now()).toISOString()
      store
        .setRebuild(name, { ...rebuild, phase: 'done', events: rebuild.total, finishedAt })
        .then(() => logger.info({ projection: name, events: rebuild.total }, 'projection rebuilt'))
        .catch((error: unknown) =>
          logger.warn({ projection: name, err: serializeError(error) }, 'end of rebuild not stored'),
        )
        .finally(() => {
          ending = false
        })
    },
    async sweep() {
      await foldable?.sweep()
    },
    async close() {
      closing.abort()
      await folding
    },
  }
}

/** A rebuild that has shown no progress for so long may be dead; whether it is, its lock tells. */
const SILENT_MS = 30_000
