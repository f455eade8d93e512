import type { UserState } from './user.js'

/** What one command on a user leaves to the next one waiting. */
export interface Turn {
  /** The state the last command wrote. Another process may have written since: good for a guarded write, never for a refusal. */
  written: UserState | undefined
}

/**
 * Lets the commands on one user take turns within this process, in the order they came. Without it each commit makes
 * losers of all that wait for the row, and all of them try again at once: 24 writers on 20 users reached 1,000 changes/s
 * with nine lost tries each (bench `hot-keys`). Processes still meet in the database only.
 */
export function createUserTurns(): <T>(userId: string, work: (turn: Turn) => Promise<T>) => Promise<T> {
  const queues = new Map<string, { waiting: number; end: Promise<unknown>; readonly turn: Turn }>()
  return async (userId, work) => {
    const queue = queues.get(userId) ?? { waiting: 0, end: Promise.resolve(), turn: { written: undefined } }
    queues.set(userId, queue)
    queue.waiting++
    const mine = queue.end.then(() => work(queue.turn))
    queue.end = mine.catch(() => {})
    try {
      return await mine
    } finally {
      if (--queue.waiting === 0) queues.delete(userId)
    }
  }
}
