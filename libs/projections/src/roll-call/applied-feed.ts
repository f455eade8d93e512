/** Tells, in this process, what its transactions have applied; whoever does not follow costs nothing. */
export interface AppliedFeed {
  /** Called after a commit. */
  told(projection: string, versions: ReadonlyMap<string, number>): void
  /** Answers how to stop following. */
  follow(projection: string, listener: AppliedListener): () => void
}

/** User to the version just applied. */
export type AppliedListener = (versions: ReadonlyMap<string, number>) => void

export function appliedFeed(): AppliedFeed {
  const listeners = new Map<string, Set<AppliedListener>>()
  return {
    told(projection, versions) {
      for (const listener of listeners.get(projection) ?? []) listener(versions)
    },
    follow(projection, listener) {
      const ofProjection = listeners.get(projection) ?? new Set()
      listeners.set(projection, ofProjection.add(listener))
      return () => ofProjection.delete(listener)
    },
  }
}
