import { beginSpan, type Logger, type Metrics, type OpenSpan, runWithRequest } from '@rollcall/observability'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { uuidv7 } from 'uuidv7'
import type { App } from './app.js'

/** What is kept of a running request, by the request. */
interface Running {
  readonly correlationId: string
  readonly traceparent: string | undefined
  readonly span: OpenSpan
  readonly startedAt: number
}

const running = new WeakMap<FastifyRequest, Running>()

/** The id that ties together what one request did in all services: the caller's, or one of our own. */
export function correlationIdOf(request: FastifyRequest): string {
  return running.get(request)?.correlationId ?? request.id
}

/** Marks the span of the request as failed. */
export function failSpan(request: FastifyRequest, error: unknown): void {
  running.get(request)?.span.fail(error)
}

export interface RequestContextOptions {
  readonly logger: Logger
  readonly metrics: Metrics
}

/** Gives each request a correlation id, a span, a log line and a measurement. */
export function addRequestContext(app: App, { logger, metrics }: RequestContextOptions): void {
  const durations = metrics.histogram({
    name: 'rollcall_http_request_duration_seconds',
    help: 'Time from the first byte of a request to the last of its answer, in seconds.',
    labelNames: ['method', 'route', 'status'],
  })

  app.addHook('onRequest', (request, reply, done) => {
    const correlationId = acceptedId(request.headers['x-correlation-id']) ?? uuidv7()
    const traceparent = one(request.headers.traceparent)
    const span = beginSpan(`${request.method} ${routeOf(request)}`, {
      kind: 'server',
      ...(traceparent === undefined ? {} : { parent: traceparent }),
      attributes: { 'http.request.method': request.method, 'http.route': routeOf(request) },
    })
    running.set(request, { correlationId, traceparent, span, startedAt: performance.now() })
    reply.header('x-correlation-id', correlationId)
    // onResponse is not called for a client that went away, nor is onRequestAbort once its body was read.
    reply.raw.once('close', () => {
      if (running.delete(request)) abandon(request, correlationId, span)
    })
    done()
  })

  // Not in onRequest: what follows the reading of a body runs in the socket's async context, not in the hook's.
  app.addHook('preValidation', (request, _reply, done) => {
    const facts = running.get(request)
    if (facts === undefined) return done()
    const { correlationId, traceparent, span } = facts
    runWithRequest({ correlationId, traceparent }, () => span.run(done))
  })

  app.addHook('onResponse', (request, reply, done) => {
    finish(request, reply)
    done()
  })

  function abandon(request: FastifyRequest, correlationId: string, span: OpenSpan): void {
    span.setAttributes({ 'error.type': 'aborted' })
    span.end()
    logger.info({ method: request.method, route: routeOf(request), correlationId }, 'request aborted')
  }

  function finish(request: FastifyRequest, reply: FastifyReply): void {
    const facts = running.get(request)
    if (facts === undefined) return
    running.delete(request)
    const route = routeOf(request)
    const { method } = request
    const status = reply.statusCode
    const durationMs = performance.now() - facts.startedAt
    facts.span.setAttributes({ 'http.response.status_code': status })
    facts.span.end()
    durations.observe({ method, route, status }, durationMs / 1_000)
    // Health and metrics are asked every few seconds by machines.
    if (status < 500 && isOperational(route)) return
    const line = {
      method,
      route,
      status,
      durationMs: Math.round(durationMs * 10) / 10,
      correlationId: facts.correlationId,
    }
    if (status >= 500) logger.warn(line, 'request answered')
    else logger.info(line, 'request answered')
  }
}

// The pattern, not the address: an address may carry ids or a searched name.
const routeOf = (request: FastifyRequest): string => request.routeOptions.url ?? 'none'

const isOperational = (route: string) => route === '/metrics' || route.startsWith('/health/')

const one = (value: string | string[] | undefined) => (typeof value === 'string' ? value : value?.[0])

function acceptedId(value: string | string[] | undefined): string | undefined {
  const id = one(value)
  return id !== undefined && /^[\x21-\x7e]{1,128}$/.test(id) ? id : undefined
}
