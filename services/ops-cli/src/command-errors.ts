import { type ErrorFacts, RollcallError } from '@rollcall/errors'

/** `ERR_USAGE_INVALID`: the command line asks for something that cannot be done as written; exit code 2. */
export class UsageInvalidError extends RollcallError {
  constructor(message: string, facts: ErrorFacts = {}) {
    super({ code: 'ERR_USAGE_INVALID', message, facts })
  }
}

/** `ERR_ENDPOINTS_MISSING`: no endpoints file was found and no address was given; exit code 2. */
export class EndpointsMissingError extends RollcallError {
  constructor(message: string, facts: ErrorFacts = {}) {
    super({ code: 'ERR_ENDPOINTS_MISSING', message, facts })
  }
}

/** `ERR_SERVICE_UNREACHABLE`: a service did not answer at all; nothing is known about what it did. */
export class ServiceUnreachableError extends RollcallError {
  constructor(service: string, url: string, cause: unknown) {
    super({
      code: 'ERR_SERVICE_UNREACHABLE',
      message: `The ${service} does not answer at ${url} (${reasonOf(cause)}). Start the stack with \`npm start\`, or name another address (rollcall --help).`,
      retryable: true,
      facts: { service, url },
      cause,
    })
  }
}

/** `ERR_SERVICE_REFUSED`: a service answered with a status of 400 or more; `facts` hold its own code and correlation id. */
export class ServiceRefusedError extends RollcallError {
  readonly status: number

  constructor(service: string, request: string, status: number, problem: Problem) {
    const said = problem.detail ?? problem.title ?? 'no reason given'
    super({
      code: 'ERR_SERVICE_REFUSED',
      message: `The ${service} refused ${request} with ${status}${problem.code ? ` ${problem.code}` : ''}: ${said}`,
      retryable: status >= 500 || status === 408 || status === 429,
      facts: { service, request, status, code: problem.code, correlationId: problem.correlationId },
    })
    this.status = status
  }
}

/** `ERR_SERVICE_ANSWER_UNKNOWN`: a service answered with something this command does not understand. */
export class ServiceAnswerUnknownError extends RollcallError {
  constructor(service: string, request: string, why: string, cause?: unknown) {
    super({
      code: 'ERR_SERVICE_ANSWER_UNKNOWN',
      message: `The ${service} answered ${request} in a form rollcall does not understand: ${why}. Are both of the same version?`,
      facts: { service, request },
      ...(cause === undefined ? {} : { cause }),
    })
  }
}

/** `ERR_COMMAND_INTERRUPTED`: Ctrl-C or SIGTERM. */
export class CommandInterruptedError extends RollcallError {
  constructor(message = 'Interrupted.') {
    super({ code: 'ERR_COMMAND_INTERRUPTED', message })
  }
}

/** RFC 9457, the members we read. */
export interface Problem {
  readonly title?: string | undefined
  readonly detail?: string | undefined
  readonly code?: string | undefined
  readonly correlationId?: string | undefined
}

/** "connection refused" rather than `fetch failed`: undici and kafkajs hide the reason in a cause. */
export function reasonOf(error: unknown): string {
  let reason = String(error)
  // Told by their members, not by their class: the errors of fetch may come from another realm.
  for (let one = error, depth = 0; isErrorLike(one) && depth < 8; one = one.cause ?? one.errors?.[0], depth++) {
    const known = REASONS[String(one.code)] ?? REASONS[String(one.name)]
    if (known !== undefined) return known
    if (one.message !== undefined && one.message !== '') reason = one.message
  }
  return reason
}

interface ErrorLike {
  /** A number in a DOMException. */
  readonly code?: string | number
  readonly name?: string
  readonly message?: string
  readonly cause?: unknown
  /** Of an AggregateError: one for each address of the host. */
  readonly errors?: readonly unknown[]
}

const isErrorLike = (value: unknown): value is ErrorLike => typeof value === 'object' && value !== null

const REASONS: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EPIPE: 'connection closed while sending',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'no such host',
  ETIMEDOUT: 'no answer in time',
  EHOSTUNREACH: 'no route to the host',
  TimeoutError: 'no answer in time',
  UND_ERR_SOCKET: 'connection closed',
  UND_ERR_CONNECT_TIMEOUT: 'no answer in time',
  UND_ERR_HEADERS_TIMEOUT: 'no answer in time',
  UND_ERR_BODY_TIMEOUT: 'the answer stopped',
}
