import { type ErrorFacts, RollcallError } from '@rollcall/errors'

/** The key was used for another request; repeating it must not do something else. */
export class IdempotencyKeyReusedError extends RollcallError {
  constructor() {
    super({
      code: 'ERR_IDEMPOTENCY_KEY_REUSED',
      message:
        'The Idempotency-Key was used for another request (method, path, preconditions or body differ); use a new key for a new request.',
    })
  }
}

/** The Idempotency-Key is no key. */
export class IdempotencyKeyInvalidError extends RollcallError {
  constructor() {
    super({
      code: 'ERR_IDEMPOTENCY_KEY_INVALID',
      message: 'An Idempotency-Key has 1 to 255 printable ASCII characters; a UUID is a good one.',
    })
  }
}

/** A request with the same key is still running, longer than this one could wait for it. */
export class IdempotencyInProgressError extends RollcallError {
  constructor() {
    super({
      code: 'ERR_IDEMPOTENCY_IN_PROGRESS',
      message: 'A request with the same Idempotency-Key is being executed; repeat this one in a moment.',
      retryable: true,
    })
  }
}

/** The refusal that the first request with this key got. */
export class ReplayedRefusalError extends RollcallError {
  constructor({ code, message, facts }: { code: string; message: string; facts: ErrorFacts }) {
    super({ code, message, facts })
  }
}
