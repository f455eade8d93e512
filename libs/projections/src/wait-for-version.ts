import type { Clock } from './clock.js'
import { ProjectionBehindError } from './projection-errors.js'

/** Waits for versions of one projection. */
export interface VersionWaits {
  /** Resolves when the user's version is applied, whichever process does it. @throws ProjectionBehindError */
  waitFor(userId: string, version: number, timeoutMs: number): Promise<void>
  /** A commit of this process: waits for its users end at once. */
  applied(versions: ReadonlyMap<string, number>): void
  /** Ends every wait as behind. */
  close(): void
}

export interface VersionWaitsOptions {
  readonly projection: string
  /** The versions in the database of some users; those never seen may be missing. */
  readonly ask: (userIds: readonly string[]) => Promise<ReadonlyMap<string, number>>
  readonly clock: Clock
}

interface Wait {
  readonly userId: string
  readonly version: number
  readonly timeoutMs: number
  readonly deadline: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * Commits of this process end waits through `applied`. Those of another process, which owns the user's partition, are
 * found by asking the database: once when the wait begins, then every `POLL_MS` in one question for all who wait. With
 * questions of its own for each wait, a process that was behind asked more than it answered.
 */
export function versionWaits({ projection, ask, clock }: VersionWaitsOptions): VersionWaits {
  const waits = new Set<Wait>()
  const closing = new AbortController()
  let isPolling = false

  async function look(asked: readonly Wait[]): Promise<void> {
    try {
      const versions = await ask([...new Set(asked.map(({ userId }) => userId))])
      for (const wait of asked) {
        const { userId, version, timeoutMs, deadline } = wait
        const known = versions.get(userId) ?? 0
        if (known >= version) end(wait)
        else if (clock.now() >= deadline || closing.signal.aborted) {
          end(wait, new ProjectionBehindError(projection, userId, known, version, timeoutMs))
        }
      }
    } catch (error) {
      for (const wait of asked) end(wait, error)
    }
  }

  async function poll(): Promise<void> {
    if (isPolling) return
    isPolling = true
    while (waits.size > 0) {
      await clock.wait(POLL_MS, closing.signal)
      if (waits.size > 0) await look([...waits])
    }
    isPolling = false
  }

  function end(wait: Wait, error?: unknown): void {
    waits.delete(wait)
    if (error === undefined) wait.resolve()
    else wait.reject(error)
  }

  return {
    waitFor: (userId, version, timeoutMs) =>
      new Promise((resolve, reject) => {
        const wait = { userId, version, timeoutMs, deadline: clock.now() + timeoutMs, resolve, reject }
        // Before the database is asked, so that a commit in between is not missed.
        waits.add(wait)
        void look([wait]).then(poll)
      }),
    applied(versions) {
      for (const wait of waits) {
        if ((versions.get(wait.userId) ?? 0) >= wait.version) end(wait)
      }
    },
    close: () => closing.abort(),
  }
}

const POLL_MS = 40
