import type { Clock } from './clock.js'
import { ProjectionBehindError } from './projection-errors.js'

export interface VersionWaits {
  /** Resolves when `known` reaches the version. @throws ProjectionBehindError */
  waitFor(projection: string, userId: string, version: number, timeoutMs: number): Promise<void>
  /** A commit of this process: waits for its users end at once. */
  applied(projection: string, versions: ReadonlyMap<string, number>): void
  close(): void
}

interface Wait {
  readonly projection: string
  readonly version: number
  arrive(): void
}

/**
 * Waits for versions. A commit of this process is told through `applied`; one of another process owning the partition
 * is found by asking the database every `POLL_MS`.
 */
export function versionWaits(
  known: (projection: string, userId: string) => Promise<number>,
  clock: Clock,
): VersionWaits {
  const waits = new Map<string, Set<Wait>>()
  const closing = new AbortController()

  return {
    async waitFor(projection, userId, version, timeoutMs) {
      const deadline = clock.now() + timeoutMs
      const here = new AbortController()
      const wait: Wait = { projection, version, arrive: () => here.abort() }
      const ofUser = waits.get(userId) ?? new Set()
      waits.set(userId, ofUser.add(wait))
      try {
        for (;;) {
          // Asked after the wait is registered, so that a commit in between is not missed.
          const applied = await known(projection, userId)
          if (applied >= version) return
          const leftMs = deadline - clock.now()
          if (leftMs <= 0 || closing.signal.aborted) {
            throw new ProjectionBehindError(projection, userId, applied, version, timeoutMs)
          }
          await clock.wait(Math.min(leftMs, POLL_MS), AbortSignal.any([here.signal, closing.signal]))
          if (here.signal.aborted) return
        }
      } finally {
        ofUser.delete(wait)
        if (ofUser.size === 0) waits.delete(userId)
      }
    },
    applied(projection, versions) {
      if (waits.size === 0) return
      for (const [userId, ofUser] of waits) {
        const version = versions.get(userId)
        if (version === undefined) continue
        for (const wait of ofUser) if (wait.projection === projection && wait.version <= version) wait.arrive()
      }
    },
    close: () => closing.abort(),
  }
}

const POLL_MS = 40
