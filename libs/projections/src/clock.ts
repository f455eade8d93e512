import { setTimeout as sleep } from 'node:timers/promises'

/** The port to time, turns and chance, so that a test or a simulator can own them. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Resolves after `ms`, or at once when the signal aborts. Never rejects. */
  wait(ms: number, signal?: AbortSignal): Promise<void>
  /** Calls back once what is under way in this turn of the event loop has had its say. */
  soon(work: () => void): void
  /** A number from 0 to below 1, to spread waits with. */
  random(): number
}

export const systemClock: Clock = {
  now: () => Date.now(),
  wait: (ms, signal) => sleep(ms, undefined, { ref: true, ...(signal ? { signal } : {}) }).catch(() => undefined),
  soon: (work) => void setImmediate(work),
  random: Math.random,
}
