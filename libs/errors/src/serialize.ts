import { type ErrorFacts, RollcallError } from './rollcall-error.js'

export interface SerializedError {
  readonly name: string
  readonly message: string
  readonly code?: string
  readonly retryable?: boolean
  readonly facts?: ErrorFacts
  readonly cause?: SerializedError
}

/** Plain facts of an error and its causes, for a log line or a stored failure; without stacks, at most 8 deep. */
export function toErrorFacts(error: unknown, depth = 0): SerializedError {
  if (!(error instanceof Error)) return { name: 'NonError', message: String(error) }
  const { code } = error as { code?: unknown }
  return {
    name: error.name,
    message: error.message,
    ...(typeof code === 'string' ? { code } : {}),
    ...(error instanceof RollcallError ? { retryable: error.retryable, facts: error.facts } : {}),
    ...(error.cause !== undefined && depth < 8 ? { cause: toErrorFacts(error.cause, depth + 1) } : {}),
  }
}
