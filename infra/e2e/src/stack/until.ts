import { setTimeout as sleep } from 'node:timers/promises'
import { ConditionNotMetError } from '../e2e-errors.js'

export interface UntilOptions {
  /** What is waited for, for the error: "the directory is ready". */
  readonly what: string
  readonly timeoutMs: number
  /** @default 50 */
  readonly pollMs?: number
}

/**
 * Asks until the answer is not undefined, false or an error, and returns it.
 *
 * @throws ConditionNotMetError after `timeoutMs`, with the last error as its cause.
 */
export async function until<T>(
  { what, timeoutMs, pollMs = 50 }: UntilOptions,
  ask: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  const deadline = Date.now() + timeoutMs
  let cause: unknown
  for (;;) {
    try {
      const answer = await ask()
      if (answer !== undefined && answer !== false) return answer
      cause = undefined
    } catch (error) {
      cause = error
    }
    if (Date.now() >= deadline) throw new ConditionNotMetError(what, timeoutMs, cause)
    await sleep(pollMs)
  }
}
