import { createNotifier, createPool, type Notifier, type Sql } from '@rollcall/database'
import type { Logger } from '@rollcall/observability'

/** The channel the relay listens to; notifications reach only sessions of the same database. */
export const WAKE_UP_CHANNEL = 'rollcall_outbox'

/** Give a pool to share its connections, or a URL for a connection of its own. */
export type WakeUpOptions = { readonly logger: Logger } & ({ readonly pool: Sql } | { readonly url: string })

/**
 * Wakes the relay after a commit. `poke()` costs nothing and may be called for every request; the first leaves at once,
 * then at most one NOTIFY per 10 ms, outside the business transaction. A lost wake-up costs the relay's fallback interval, never a row.
 */
export function createWakeUp(options: WakeUpOptions): Notifier {
  const { logger } = options
  if ('pool' in options) return createNotifier({ sql: options.pool, channel: WAKE_UP_CHANNEL, logger })
  const pool = createPool({ url: options.url, max: 1, applicationName: 'outbox wake-up' }, { logger })
  const notifier = createNotifier({ sql: pool, channel: WAKE_UP_CHANNEL, logger })
  return {
    poke: notifier.poke,
    async close() {
      await notifier.close()
      await pool.end()
    },
  }
}
