const MAX_CAUSES = 8

/** The `code` of an error, or of the first of its causes that has one; undefined when none has. */
export function errorCode(error: unknown): string | undefined {
  for (const one of causes(error)) {
    if (typeof one.code === 'string') return one.code
  }
  return undefined
}

/**
 * True when the error itself, or the first of its causes that takes a stand, says that a retry may succeed.
 * Reads `retryable` (ours) and `retriable` (kafkajs). An error that says nothing is not retryable: retrying an
 * unknown failure for ever hides it.
 */
export function isRetryable(error: unknown): boolean {
  for (const one of causes(error)) {
    if (typeof one.retryable === 'boolean') return one.retryable
    if (typeof one.retriable === 'boolean') return one.retriable
  }
  return false
}

// Bounded: a cause chain can be circular when two wrappers share a cause.
function* causes(error: unknown): Generator<Record<string, unknown>> {
  let current = error
  for (let depth = 0; depth < MAX_CAUSES && typeof current === 'object' && current !== null; depth++) {
    yield current as Record<string, unknown>
    current = (current as { cause?: unknown }).cause
  }
}
