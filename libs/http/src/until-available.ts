import { setTimeout as delay } from 'node:timers/promises'
import { isRetryable, toErrorFacts } from '@rollcall/errors'
import type { Logger } from '@rollcall/observability'

export interface UntilAvailableOptions {
  readonly logger: Logger
  /** True for failures that pass by themselves, beside those that say they are retryable; any other is thrown at once. */
  readonly isTransient?: (error: unknown) => boolean
  readonly signal?: AbortSignal
  /** @default 1000 */
  readonly pauseMs?: number
}

/**
 * Tries until it works: a service whose database or registry is not up yet waits for it instead of dying in a loop.
 * Says so once, and once more when it is over.
 */
export async function untilAvailable<T>(
  dependency: string,
  attempt: () => Promise<T>,
  { logger, isTransient = () => false, signal, pauseMs = 1_000 }: UntilAvailableOptions,
): Promise<T> {
  for (let failures = 0; ; failures++) {
    try {
      const result = await attempt()
      if (failures > 0) logger.info({ dependency, failures }, 'dependency is available')
      return result
    } catch (error) {
      if (!isRetryable(error) && !isTransient(error)) throw error
      if (failures === 0) logger.warn({ dependency, reason: toErrorFacts(error).code }, 'waiting for a dependency')
      await delay(pauseMs, undefined, { ...(signal === undefined ? {} : { signal }) })
    }
  }
}
