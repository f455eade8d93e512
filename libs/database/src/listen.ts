import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '@rollcall/observability'
import pg from 'pg'

export interface ListenOptions {
  readonly url: string
  readonly channel: string
  /**
   * Called for each notification, and once after every (re)connection, because notifications sent while nobody
   * listened are gone: treat it as "look now", never as data.
   */
  readonly onNotify: (payload: string) => void
  readonly logger: Logger
  readonly applicationName?: string
  /** Longest pause between two attempts to reconnect. @default 5000 */
  readonly maxBackoffMs?: number
}

export interface Listener {
  close(): Promise<void>
}

/**
 * Listens to one channel on a connection of its own and reconnects for ever, with back-off and jitter. Never
 * throws: a listener is an accelerator, its user keeps a timer as the net.
 */
export function listen(options: ListenOptions): Listener {
  const stop = new AbortController()
  const running = run(options, stop.signal)
  return {
    async close() {
      stop.abort()
      await running
    },
  }
}

async function run(options: ListenOptions, signal: AbortSignal): Promise<void> {
  const { logger, channel, maxBackoffMs = 5_000 } = options
  let attempt = 0
  while (!signal.aborted) {
    try {
      await listenOnce(options, signal, () => {
        attempt = 0
      })
      if (!signal.aborted) logger.warn({ channel }, 'notification connection lost')
    } catch (error) {
      if (attempt === 0) logger.warn({ channel, error }, 'cannot listen yet')
    }
    attempt++
    const backoffMs = Math.min(maxBackoffMs, 50 * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2)
    await delay(backoffMs, undefined, { signal }).catch(() => {})
  }
}

// Resolves when the connection ends, rejects when it could not be made.
async function listenOnce(options: ListenOptions, signal: AbortSignal, connected: () => void): Promise<void> {
  const client = new pg.Client({
    connectionString: options.url,
    application_name: options.applicationName ?? `listen ${options.channel}`,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  })
  const ended = new Promise<void>((resolve) => {
    client.on('end', resolve)
    client.on('error', () => resolve())
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  client.on('notification', (message) => options.onNotify(message.payload ?? ''))
  try {
    await client.connect()
    await client.query(`LISTEN ${pg.escapeIdentifier(options.channel)}`)
    connected()
    options.onNotify('')
    await ended
  } finally {
    await client.end().catch(() => {})
  }
}
