import { RollcallError } from '@rollcall/errors'
import type { ProblemError } from './problem.js'

/** `ERR_BODY_MALFORMED`: the body is not JSON; names the place, never the text. */
export class BodyMalformedError extends RollcallError {
  constructor(problem: string) {
    super({ code: 'ERR_BODY_MALFORMED', message: `The body is not acceptable JSON: ${problem}.` })
  }
}

/** `ERR_REQUEST_INVALID`: fields of the body, the query or the path are wrong; `problems` names each of them. */
export class RequestInvalidError extends RollcallError {
  readonly problems: readonly ProblemError[]

  constructor(problems: readonly ProblemError[]) {
    const count = problems.length === 1 ? 'One field is' : `${problems.length} fields are`
    super({ code: 'ERR_REQUEST_INVALID', message: `${count} wrong; see errors.` })
    this.problems = problems
  }
}

/** `ERR_CURSOR_INVALID`: a paging cursor that this service did not make, or made for another query. */
export class CursorInvalidError extends RollcallError {
  constructor() {
    super({
      code: 'ERR_CURSOR_INVALID',
      message: 'The cursor is not one of this listing; start again without it.',
    })
  }
}

/** `ERR_IF_MATCH_INVALID`: an If-Match header that is neither `*` nor a list of entity tags. */
export class IfMatchInvalidError extends RollcallError {
  constructor() {
    super({
      code: 'ERR_IF_MATCH_INVALID',
      message: 'If-Match is not readable; send the ETag of an earlier answer as it was, with its quotes, or *.',
    })
  }
}

/** `ERR_PRECONDITION_FAILED`: the resource has another version than the request was made for. */
export class PreconditionFailedError extends RollcallError {
  constructor(currentVersion?: number) {
    super({
      code: 'ERR_PRECONDITION_FAILED',
      message: `The resource has changed${currentVersion === undefined ? '' : ` and is now at version ${currentVersion}`}; read it again and repeat the change.`,
      facts: currentVersion === undefined ? {} : { currentVersion },
    })
  }
}

/** `ERR_HOST_NOT_LOOPBACK`: the service was told to listen where other machines can reach it. */
export class HostNotLoopbackError extends RollcallError {
  constructor(host: string, reason: string) {
    super({ code: 'ERR_HOST_NOT_LOOPBACK', message: `Refusing to listen on ${host}: ${reason}.`, facts: { host } })
  }
}

/** `ERR_PORT_TAKEN`: another process listens on the port, or the port may not be used. */
export class PortTakenError extends RollcallError {
  constructor(host: string, port: number, reason: string, cause: unknown) {
    super({
      code: 'ERR_PORT_TAKEN',
      message: `Cannot listen on ${host}:${port}: ${reason}. Stop what listens there, or set PORT to another one.`,
      facts: { host, port },
      cause,
    })
  }
}
