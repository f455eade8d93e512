import { type Logger, serializeError } from '@rollcall/observability'
import type { Clock } from '../clock.js'
import { nextWaitMs } from './retry-policy.js'

export interface RetryTransientOptions {
  readonly name: string
  readonly isTransient: (error: unknown) => boolean
  readonly clock: Clock
  readonly logger: Logger
  readonly signal: AbortSignal
}

/** Repeats work on the library's own tables while the database is away. Undefined once the signal aborted. */
export async function retryTransient<T>(
  work: () => Promise<T>,
  { name, isTransient, clock, logger, signal }: RetryTransientOptions,
): Promise<T | undefined> {
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      return await work()
    } catch (error) {
      const waitMs = nextWaitMs(error, attempt, { isTransient, maxAttempts: 0, random: clock.random })
      if (waitMs === undefined) throw error
      if (attempt % 10 === 1) {
        logger.warn({ projection: name, attempt, err: serializeError(error) }, 'projection database not reachable')
      }
      await clock.wait(waitMs, signal)
    }
  }
  return undefined
}
