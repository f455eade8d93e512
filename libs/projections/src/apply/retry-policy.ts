import { isRetryable } from '@rollcall/errors'

export interface RetryRules {
  /** Spreads the waits; see Clock. */
  readonly random: () => number
  /** Recognizes a database that is away or lost a race: tried again for ever, because every event would fail alike. */
  isTransient(error: unknown): boolean
  /** Tries of anything else that says it is retryable. */
  readonly maxAttempts: number
}

/** How long to wait before the next try, in milliseconds; undefined when the failure is for good. */
export function nextWaitMs(
  error: unknown,
  attempt: number,
  { isTransient, maxAttempts, random }: RetryRules,
): number | undefined {
  if (!isTransient(error) && !(isRetryable(error) && attempt < maxAttempts)) return undefined
  return backOffMs(attempt, MAX_WAIT_MS, random)
}

/** Doubles with each attempt, up to `maxMs`. Jittered: processes that lost the same thing do not come back in step. */
export function backOffMs(attempt: number, maxMs: number, random: () => number): number {
  return Math.ceil(Math.min(maxMs, FIRST_WAIT_MS * 2 ** Math.min(attempt, 20)) * (0.5 + random() / 2))
}

const FIRST_WAIT_MS = 25
const MAX_WAIT_MS = 5_000
