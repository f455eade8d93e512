import { hostname } from 'node:os'
import { pino } from 'pino'
import { redact } from './redact.js'
import { currentRequest } from './request-facts.js'
import { currentTraceparent } from './with-span.js'

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'

/** Facts first, then a constant message. */
export interface LogMethod {
  (facts: object, message: string): void
  (message: string): void
}

/** The part of pino that Rollcall uses. */
export interface Logger {
  readonly debug: LogMethod
  readonly info: LogMethod
  readonly warn: LogMethod
  readonly error: LogMethod
  readonly fatal: LogMethod
  child(facts: object): Logger
  isLevelEnabled(level: LogLevel): boolean
}

export interface LoggerOptions {
  readonly service: string
  /** Tells two processes of one service apart. @default host name and process id */
  readonly instance?: string
  /** @default 'info' */
  readonly level?: LogLevel
  /** Where lines go, one JSON object each. @default standard output, written without blocking and flushed at exit */
  readonly destination?: { write(line: string): void }
}

/**
 * Creates a logger whose lines never carry personal data: hidden by key at any depth (see `redact`), and errors reduced
 * to what is safe (see `serializeError`). Lines written while a request runs carry its correlation id and trace id.
 */
export function createLogger({ service, instance, level = 'info', destination }: LoggerOptions): Logger {
  const logger = pino(
    {
      level,
      base: { service, instance: instance ?? `${hostname()}:${process.pid}` },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        log: (facts) => redact(facts) as Record<string, unknown>,
      },
      // `redact` has serialized the errors; pino's own serializer would fold the causes into the message.
      serializers: { err: (error: unknown) => error },
      mixin: requestFacts,
    },
    destination ?? pino.destination({ dest: 1, sync: false }),
  )
  // pino runs no formatter over the facts of a child. Children inherit this one, so `this` is the logger asked.
  const { child } = logger
  return Object.assign(logger, {
    child(this: pino.Logger, facts: object): Logger {
      return child.call(this, redact(facts) as pino.Bindings)
    },
  })
}

function requestFacts(): object {
  const request = currentRequest()
  const traceparent = currentTraceparent()
  return {
    ...(request === undefined ? {} : { correlationId: request.correlationId }),
    ...(traceparent === undefined ? {} : { traceId: traceparent.slice(3, 35) }),
  }
}
