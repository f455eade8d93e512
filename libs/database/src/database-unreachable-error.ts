import { RollcallError } from '@rollcall/errors'

/** No connection to the database could be made; trying again later may succeed. */
export class DatabaseUnreachableError extends RollcallError {
  constructor(url: string, cause: unknown) {
    const address = addressOf(url)
    super({
      code: 'ERR_DATABASE_UNREACHABLE',
      message: `Postgres at ${address} cannot be reached (${reasonOf(cause)}); check that it runs and DATABASE_URL is right.`,
      retryable: true,
      facts: { address },
      cause,
    })
  }
}

// Host, port and database only: a URL carries the password.
function addressOf(url: string): string {
  try {
    const { host, pathname } = new URL(url)
    return `${host}${pathname}`
  } catch {
    return 'an unreadable address'
  }
}

function reasonOf(cause: unknown): string {
  const { code, message } = (cause ?? {}) as { code?: unknown; message?: unknown }
  return typeof code === 'string' ? code : String(message ?? cause)
}
