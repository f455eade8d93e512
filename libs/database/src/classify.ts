/** The constraint a unique violation names, or undefined for any other error. Looks through causes and Prisma's P2002. */
export function uniqueViolation(error: unknown): { readonly constraint: string } | undefined {
  for (const one of causes(error)) {
    if (one.code === '23505') return { constraint: typeof one.constraint === 'string' ? one.constraint : '' }
  }
  return undefined
}

/**
 * True when the same statement may succeed later without anybody changing it: the server is gone, starting,
 * stopping or full, or the transaction lost a serialization or deadlock race.
 */
export function isTransientDatabaseError(error: unknown): boolean {
  for (const one of causes(error)) {
    if (typeof one.code === 'string' && transientCodes.has(one.code)) return true
    // Class 08: every connection exception.
    if (typeof one.code === 'string' && /^08[0-9A-Z]{3}$/.test(one.code)) return true
    if (typeof one.message === 'string' && transientMessages.test(one.message)) return true
  }
  return false
}

const transientCodes = new Set([
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  '53300', // too_many_connections
  '55P03', // lock_not_available
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
  '57P05', // idle_session_timeout
  '25P03', // idle_in_transaction_session_timeout
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
  'ENOTFOUND',
  'ERR_DATABASE_UNREACHABLE',
])

// pg reports these without a code.
const transientMessages =
  /^(Connection terminated|Client has encountered a connection error|timeout exceeded when trying to connect|Query read timeout|Client was closed and is not queryable|The server closed the connection)/

// A refused connection to a name with two addresses arrives as an AggregateError without a code of its own.
function* causes(error: unknown, depth = 0): Generator<Record<string, unknown>> {
  if (typeof error !== 'object' || error === null || depth > 8) return
  yield error as Record<string, unknown>
  const { cause, errors } = error as { cause?: unknown; errors?: unknown }
  if (Array.isArray(errors)) for (const one of errors.slice(0, 8)) yield* causes(one, depth + 1)
  yield* causes(cause, depth + 1)
}
