import { type Logger, serializeError } from '@rollcall/observability'
import type { Deferred } from './apply-effects.js'

export interface DeferredOptions {
  /** The projection's. */
  readonly name: string
  readonly logger: Logger
  /** True when events are only replayed: what is to happen outside has happened, or will on the live side. */
  readonly suppressed?: boolean
}

/** Does what handlers wanted done after their commit, in order; a failure is logged and ends nothing. */
export async function runDeferred(
  deferred: Deferred,
  { name, logger, suppressed = false }: DeferredOptions,
): Promise<void> {
  if (suppressed) return
  for (const work of deferred) {
    try {
      await work()
    } catch (error) {
      logger.error({ projection: name, err: serializeError(error) }, 'work after a commit failed')
    }
  }
}
