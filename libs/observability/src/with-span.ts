import {
  type Attributes,
  type Context,
  context,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api'
import { serializeError } from './redact.js'
import { currentRequest } from './request-facts.js'

export interface SpanOptions {
  /** A W3C traceparent to continue, from a request or a record header. @default the span that is running */
  readonly parent?: string | undefined
  readonly kind?: 'internal' | 'server' | 'client' | 'producer' | 'consumer'
  /** Ids and counts only, never personal data. */
  readonly attributes?: Attributes
}

/** A span that its opener ends. */
export interface OpenSpan {
  /** The W3C traceparent of this span, to be sent on; undefined when it is not recorded. */
  readonly traceparent: string | undefined
  /** Runs `fn`, and everything it awaits, inside the span. */
  run<T>(fn: () => T): T
  rename(name: string): void
  setAttributes(attributes: Attributes): void
  /** Marks the span as failed; only the code and the kind of the error are kept. */
  fail(error: unknown): void
  end(): void
}

const KINDS = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
}

/**
 * Runs `fn` in a span and ends it when `fn` returns, or its promise settles; a failure is recorded and thrown on.
 * Costs next to nothing while no tracing is started.
 */
export function withSpan<T>(name: string, options: SpanOptions, fn: (span: OpenSpan) => T): T {
  const span = beginSpan(name, options)
  try {
    const result = span.run(() => fn(span))
    if (!isPromise(result)) {
      span.end()
      return result
    }
    return result.then(
      (value) => {
        span.end()
        return value
      },
      (error: unknown) => {
        span.fail(error)
        span.end()
        throw error
      },
    ) as T
  } catch (error) {
    span.fail(error)
    span.end()
    throw error
  }
}

/** Starts a span for callers that cannot wrap a function around the work. Whoever begins it must end it. */
export function beginSpan(name: string, { parent, kind = 'internal', attributes = {} }: SpanOptions = {}): OpenSpan {
  const parentContext = parent === undefined ? context.active() : fromTraceparent(parent)
  const span = trace.getTracer('rollcall').startSpan(name, { kind: KINDS[kind], attributes }, parentContext)
  if (!span.isRecording()) return UNRECORDED
  const spanContext = trace.setSpan(parentContext, span)
  return {
    traceparent: toTraceparent(span),
    run: (fn) => context.with(spanContext, fn),
    rename: (next) => void span.updateName(next),
    setAttributes: (more) => void span.setAttributes(more),
    fail(error) {
      const { name: errorName, code } = serializeError(error)
      span.setAttributes({ 'error.type': code ?? errorName })
      span.setStatus({ code: SpanStatusCode.ERROR })
    },
    end: () => span.end(),
  }
}

/**
 * The W3C traceparent to send on: of the running span, or, while no span is recorded, the one that came in with the
 * request. Undefined when there is neither.
 */
export function currentTraceparent(): string | undefined {
  const span = trace.getActiveSpan()
  return span === undefined ? currentRequest()?.traceparent : toTraceparent(span)
}

const UNRECORDED: OpenSpan = {
  traceparent: undefined,
  run: (fn) => fn(),
  rename: () => {},
  setAttributes: () => {},
  fail: () => {},
  end: () => {},
}

function toTraceparent(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext()
  return `00-${traceId}-${spanId}-${(traceFlags & TraceFlags.SAMPLED) === 0 ? '00' : '01'}`
}

// https://www.w3.org/TR/trace-context/#traceparent-header: an unreadable one is ignored, a newer version is read as 00.
function fromTraceparent(text: string): Context {
  const parts = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/.exec(text)
  if (parts === null) return context.active()
  const [, traceId = '', spanId = '', flags = '00'] = parts
  const traceFlags = Number.parseInt(flags, 16) & TraceFlags.SAMPLED
  return trace.setSpanContext(context.active(), { traceId, spanId, traceFlags, isRemote: true })
}

function isPromise<T>(value: T): value is T & Promise<Awaited<T>> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
