import { setTimeout as sleep } from 'node:timers/promises'

/** The port to time, so that a test or a simulator can own it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Resolves after `ms`, or at once when the signal aborts. Never rejects. */
  wait(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  wait: (ms, signal) => sleep(ms, undefined, { ref: true, ...(signal ? { signal } : {}) }).catch(() => undefined),
}
