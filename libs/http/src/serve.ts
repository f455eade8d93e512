import { loopbackHost } from '@rollcall/config'
import type { Logger } from '@rollcall/observability'
import closeWithGrace from 'close-with-grace'
import type { App } from './app.js'
import { HostNotLoopbackError, PortTakenError } from './http-errors.js'

export interface ServeOptions {
  readonly host: string
  /** 0 asks the system for a free port. */
  readonly port: number
  readonly logger: Logger
  /** Closes what the requests needed (pools, producers); called after the last request is answered. */
  readonly onClose?: () => Promise<void>
  /** How long closing may take before the process ends anyway. @default 10000 */
  readonly graceMs?: number
}

/**
 * Listens, and closes gracefully on SIGTERM, SIGINT and a crash: no new requests, the running ones are answered, then
 * `onClose`. A crash ends with exit code 1.
 *
 * @returns the address, such as `http://127.0.0.1:7400`.
 * @throws HostNotLoopbackError, PortTakenError
 */
export async function serve(
  app: App,
  { host, port, logger, onClose, graceMs = 10_000 }: ServeOptions,
): Promise<string> {
  refuseBeyondLoopback(host)
  const address = await listen(app, host, port)
  const { uninstall } = closeWithGrace(
    {
      delay: graceMs,
      logger: false,
      onTimeout: () => logger.error({ graceMs }, 'closing takes too long; ending now'),
      onSecondError: (error) => logger.error({ err: error }, 'another error while closing'),
    },
    async ({ signal, err }) => {
      if (err) logger.fatal({ err }, 'the process failed; closing')
      else logger.info({ signal }, 'closing')
      await app.close()
      await onClose?.()
      logger.info('closed')
    },
  )
  // A test that closes the app itself must not leave signal handlers behind.
  app.server.once('close', uninstall)
  logger.info({ address }, 'listening')
  return address
}

function refuseBeyondLoopback(host: string): void {
  const parsed = loopbackHost().safeParse(host)
  if (!parsed.success) throw new HostNotLoopbackError(host, parsed.error.issues[0]?.message ?? 'not a loopback address')
}

async function listen(app: App, host: string, port: number): Promise<string> {
  try {
    return await app.listen({ host, port })
  } catch (error) {
    const { code } = error as { code?: string }
    if (code === 'EADDRINUSE') throw new PortTakenError(host, port, 'another process listens there', error)
    if (code === 'EACCES') throw new PortTakenError(host, port, 'this user may not use the port', error)
    throw error
  }
}
