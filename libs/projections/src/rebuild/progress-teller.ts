import type { Clock } from '../clock.js'
import type { ProjectionStore } from '../store/projection-store.js'
import { hasEnded, type RebuildProgress } from './rebuild-progress.js'

export interface ProgressTeller {
  /** Writes what has changed to the projection's row. */
  (change: Partial<RebuildProgress>): Promise<void>
  /** The same, at most once a second while the phase stays; a failure ends nothing, the next step meets the same database. */
  soon(change: Partial<RebuildProgress>): void
  now(): RebuildProgress
}

export function progressTeller(
  store: Pick<ProjectionStore<unknown>, 'setRebuild'>,
  name: string,
  clock: Clock,
  first: RebuildProgress,
): ProgressTeller {
  let progress = first
  let toldAt = Number.NEGATIVE_INFINITY
  // One after the other: a late line about reading must not follow the one that says it is done.
  let told: Promise<void> = Promise.resolve()
  const tell = (change: Partial<RebuildProgress>): Promise<void> => {
    toldAt = clock.now()
    progress = { ...progress, ...change }
    if (hasEnded(progress)) progress = { ...progress, finishedAt: new Date(toldAt).toISOString() }
    const telling = progress
    const written = told.then(() => store.setRebuild(name, telling))
    told = written.catch(() => {})
    return written
  }
  return Object.assign(tell, {
    soon(change: Partial<RebuildProgress>) {
      const isNews = change.phase !== undefined && change.phase !== progress.phase
      if (isNews || clock.now() - toldAt >= 1_000) tell(change).catch(() => {})
      else progress = { ...progress, ...change }
    },
    now: () => progress,
  })
}
