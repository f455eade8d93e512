import { STATUS_CODES } from 'node:http'
import { isRetryable, RollcallError } from '@rollcall/errors'
import type { Logger } from '@rollcall/observability'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { App } from './app.js'
import { RequestInvalidError } from './http-errors.js'
import type { Problem, ProblemError } from './problem.js'
import { correlationIdOf, failSpan } from './request-context.js'
import { validationProblems } from './validation-problems.js'

export interface ProblemAnswersOptions {
  readonly logger: Logger
  readonly problems?: Readonly<Record<string, number>>
  readonly isTransient?: (error: unknown) => boolean
}

const RETRY_AFTER_SECONDS = 1

/** Status of the codes that this package raises itself. */
export const OWN_PROBLEMS: Readonly<Record<string, number>> = {
  ERR_BODY_MALFORMED: 400,
  ERR_REQUEST_INVALID: 400,
  ERR_CURSOR_INVALID: 400,
  ERR_IF_MATCH_INVALID: 400,
  ERR_ROUTE_UNKNOWN: 404,
  ERR_METHOD_NOT_ALLOWED: 405,
  ERR_PRECONDITION_FAILED: 412,
  ERR_BODY_TOO_LARGE: 413,
  ERR_MEDIA_TYPE_UNSUPPORTED: 415,
  ERR_INTERNAL: 500,
  ERR_DEPENDENCY_UNAVAILABLE: 503,
}

interface Answer {
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly errors?: readonly ProblemError[]
}

/** Answers every error as problem details (RFC 9457); what went wrong inside stays in the log, by correlation id. */
export function answerProblems(
  app: App,
  { logger, problems = {}, isTransient = () => false }: ProblemAnswersOptions,
): void {
  const statuses = { ...OWN_PROBLEMS, ...problems }

  app.setErrorHandler((error: FastifyError | Error, request, reply) => {
    const answer = answerFor(error, statuses, isTransient)
    if (answer.status >= 500) {
      failSpan(request, error)
      logger.error({ err: error, code: answer.code, correlationId: correlationIdOf(request) }, 'request failed')
    }
    return send(request, reply, answer)
  })

  app.setNotFoundHandler((request, reply) => {
    const path = pathOf(request)
    const allowed = METHODS.filter(
      (method) => method !== request.method && app.findRoute({ method, url: path }) !== null,
    )
    if (allowed.length > 0) {
      reply.header('allow', allowed.join(', '))
      const detail = `${request.method} is not possible here; try ${allowed.join(', ')}.`
      return send(request, reply, { status: 405, code: 'ERR_METHOD_NOT_ALLOWED', detail })
    }
    return send(request, reply, {
      status: 404,
      code: 'ERR_ROUTE_UNKNOWN',
      detail: 'Nothing is served at this address; /docs lists what there is.',
    })
  })
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

function answerFor(
  error: FastifyError | Error,
  statuses: Readonly<Record<string, number>>,
  isTransient: (error: unknown) => boolean,
): Answer {
  if (error instanceof RollcallError) {
    const status = statuses[error.code] ?? (error.retryable ? 503 : 500)
    if (status < 500) {
      const errors = error instanceof RequestInvalidError ? { errors: error.problems } : {}
      return { status, code: error.code, detail: error.message, ...errors }
    }
    if (statuses[error.code] !== undefined) return { status, code: error.code, detail: error.message }
  }
  const problems = validationProblems(error)
  if (problems !== undefined) {
    const invalid = new RequestInvalidError(problems)
    return { status: 400, code: invalid.code, detail: invalid.message, errors: problems }
  }
  const known = frameworkAnswer(error)
  if (known !== undefined) return known
  if (isTransient(error) || isRetryable(error)) {
    return {
      status: 503,
      code: 'ERR_DEPENDENCY_UNAVAILABLE',
      detail: 'Something this service needs does not answer now; try again in a moment.',
    }
  }
  return { status: 500, code: 'ERR_INTERNAL', detail: 'The service failed; report the correlationId.' }
}

function frameworkAnswer(error: FastifyError | Error): Answer | undefined {
  const { code, statusCode } = error as Partial<FastifyError>
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return { status: 413, code: 'ERR_BODY_TOO_LARGE', detail: 'The body is larger than this address accepts.' }
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return {
        status: 415,
        code: 'ERR_MEDIA_TYPE_UNSUPPORTED',
        detail: 'The Content-Type is not one this address reads; send application/json.',
      }
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return { status: 400, code: 'ERR_BODY_MALFORMED', detail: 'The body is not as long as Content-Length says.' }
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return { status: statusCode, code: 'ERR_REQUEST_INVALID', detail: 'The request cannot be read.' }
  }
  return undefined
}

function send(request: FastifyRequest, reply: FastifyReply, { status, code, detail, errors }: Answer): FastifyReply {
  const problem: Problem = {
    type: `urn:rollcall:problem:${code}`,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail,
    code,
    ...(errors === undefined ? {} : { errors }),
    instance: pathOf(request),
    correlationId: correlationIdOf(request),
  }
  if (status === 503) reply.header('retry-after', String(RETRY_AFTER_SECONDS))
  // As text: the route's response schemas describe it, they need not run over it.
  return reply.code(status).type('application/problem+json; charset=utf-8').send(JSON.stringify(problem))
}

const pathOf = (request: FastifyRequest): string => request.url.split('?', 1)[0] ?? '/'
