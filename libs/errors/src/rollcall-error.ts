/** Values that explain one failure: ids, counts, limits. Never personal data; they are logged. */
export type ErrorFacts = Readonly<Record<string, unknown>>

export interface RollcallErrorOptions {
  /** Stable contract for callers: `ERR_<NOUN>_<CONDITION>`. A retired code is never reused. */
  readonly code: string
  /** What happened, with which value, what to do. For people; may be reworded at any time. */
  readonly message: string
  /** True when the same call may succeed later without anybody changing anything. @default false */
  readonly retryable?: boolean
  readonly facts?: ErrorFacts
  readonly cause?: unknown
}

/**
 * The base of every error Rollcall throws on purpose. It knows no HTTP status: `@rollcall/http` maps codes to
 * statuses, so that a domain rule reads the same from REST, SCIM and the command line.
 */
export class RollcallError extends Error {
  readonly code: string
  readonly retryable: boolean
  readonly facts: ErrorFacts

  constructor({ code, message, retryable = false, facts = {}, cause }: RollcallErrorOptions) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = new.target.name
    this.code = code
    this.retryable = retryable
    this.facts = facts
  }
}
