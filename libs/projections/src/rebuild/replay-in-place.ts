import { type Logger, serializeError } from '@rollcall/observability'
import type { Effects } from '../apply/apply-effects.js'
import type { Clock } from '../clock.js'
import type { ProjectedEvent, Projection } from '../define-projection.js'
import type { LogSource } from '../log-source.js'
import type { ProjectionRow, ProjectionStore } from '../store/projection-store.js'
import type { RebuildProgress } from './rebuild-progress.js'
import { recordsIn } from './records-in.js'

export interface ReplayInPlaceOptions<E extends ProjectedEvent, Tx> {
  readonly projection: Projection<E, Tx>
  readonly effects: Effects<E, Tx>
  readonly kafka: Pick<LogSource, 'offsets'>
  readonly store: ProjectionStore<Tx>
  readonly logger: Logger
  readonly clock: Clock
  readonly instance: string
}

/** The rebuild of what has no sides: the read model is emptied, and its ordinary runners apply everything again. */
export function replayInPlace<E extends ProjectedEvent, Tx>(options: ReplayInPlaceOptions<E, Tx>) {
  const { projection, effects, kafka, store, logger, clock, instance } = options
  const { name, topic } = projection
  let isEnding = false

  return {
    async start(reason: string): Promise<void> {
      const offsets = await kafka.offsets(topic.name)
      const progress: RebuildProgress = {
        kind: 'replay',
        phase: 'catching up',
        events: 0,
        total: recordsIn(offsets),
        startedAt: new Date(clock.now()).toISOString(),
        instance,
        targets: Object.fromEntries(offsets.map(({ partition, high }) => [partition, high])),
      }
      const startAt = new Map(offsets.map(({ partition, low }) => [partition, low]))
      await store.transaction(async (transaction) => {
        await transaction.rewind(projection, startAt, progress)
        await effects.reset(transaction)
      })
      logger.info({ projection: name, reason, events: progress.total }, 'projection rebuild started in place')
    },
    /** Ends it when its runners, in whatever processes, have arrived where the topic ended when it began. */
    watch({ rebuild: progress, checkpoints }: ProjectionRow): void {
      if (progress?.kind !== 'replay' || progress.phase !== 'catching up' || isEnding) return
      const at = new Map(checkpoints.map(({ partition, position }) => [String(partition), position]))
      const arrived = Object.entries(progress.targets ?? {}).every(
        ([partition, end]) => (at.get(partition) ?? 0) >= end,
      )
      if (!arrived) return
      isEnding = true
      const finishedAt = new Date(clock.now()).toISOString()
      store
        .setRebuild(name, { ...progress, phase: 'done', events: progress.total, finishedAt })
        .then(() => logger.info({ projection: name, events: progress.total }, 'projection rebuilt'))
        .catch((error: unknown) =>
          logger.warn({ projection: name, err: serializeError(error) }, 'end of rebuild not stored'),
        )
        .finally(() => {
          isEnding = false
        })
    },
  }
}
