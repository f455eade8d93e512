import { RollcallError } from '@rollcall/errors'
import type { FieldProblem } from './field-problem.js'

/** No user of this tenant has the id. */
export class UserNotFoundError extends RollcallError {
  constructor(userId: string) {
    super({
      code: 'ERR_USER_NOT_FOUND',
      message: `No user has the id ${userId}; check the id, or list users to find it.`,
      facts: { userId },
    })
  }
}

/** The outbox archive does not have an event that was asked for. */
export class UserEventsGoneError extends RollcallError {
  constructor(userId: string, version: number) {
    super({
      code: 'ERR_USER_EVENTS_GONE',
      message: `The outbox archive has no version ${version} of user ${userId}: retention dropped it, or there is none yet. Read the user for its state.`,
      facts: { userId, version },
    })
  }
}

/** The document is not a user; `problems` says what, and where, never the refused values. REST says it as ERR_REQUEST_INVALID. */
export class UserInvalidError extends RollcallError {
  readonly problems: readonly FieldProblem[]

  constructor(problems: readonly FieldProblem[]) {
    super({
      code: 'ERR_USER_INVALID',
      message: `${problems.length === 1 ? 'One field is' : `${problems.length} fields are`} wrong; see errors.`,
    })
    this.problems = problems
  }
}

/** The act does not fit the status of the user. */
export class UserStatusConflictError extends RollcallError {
  constructor(userId: string, status: string, act: string, allowedActs: readonly string[]) {
    super({
      code: 'ERR_USER_STATUS_CONFLICT',
      message: `Cannot ${act} user ${userId}: it is ${status}. A user that is ${status} allows: ${allowedActs.join(', ')}.`,
      facts: { userId, status, act, allowedActs },
    })
  }
}

/** The grace period of a deleted user is over. */
export class UserGraceEndedError extends RollcallError {
  constructor(userId: string, purgeAt: Date) {
    super({
      code: 'ERR_USER_GRACE_ENDED',
      message: `User ${userId} cannot be restored: its grace period ended at ${purgeAt.toISOString()}. Create a new user.`,
      facts: { userId, purgeAt: purgeAt.toISOString() },
    })
  }
}

/** Another user of the tenant, deleted ones within their grace period included, has the user name. */
export class UserNameTakenError extends RollcallError {
  constructor() {
    super({
      code: 'ERR_USER_NAME_TAKEN',
      message:
        'The userName belongs to another user, compared without case; a deleted user keeps it until it is purged. Choose another.',
      facts: { pointer: '/userName' },
    })
  }
}

/** Another user of the tenant, deleted ones within their grace period included, has one of the addresses. */
export class UserEmailTakenError extends RollcallError {
  constructor(index?: number) {
    super({
      code: 'ERR_USER_EMAIL_TAKEN',
      message:
        'An e-mail address belongs to another user, compared without case; a deleted user keeps it until it is purged. Use another.',
      facts: { pointer: index === undefined || index < 0 ? '/emails' : `/emails/${index}/value` },
    })
  }
}

/** Other writers changed the same user each time; nothing was written. */
export class UserContendedError extends RollcallError {
  constructor(userId: string, attempts: number) {
    super({
      code: 'ERR_USER_CONTENDED',
      message: `User ${userId} was changed by others during each of ${attempts} attempts; try again.`,
      retryable: true,
      facts: { userId, attempts },
    })
  }
}
