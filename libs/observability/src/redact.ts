import { RollcallError } from '@rollcall/errors'

const HIDDEN = '(hidden)'
const MAX_DEPTH = 6
const MAX_ITEMS = 100
const MAX_CAUSES = 4
const MAX_FRAMES = 12
const MAX_MESSAGE = 2_000

/**
 * Keys whose values are, or hold, personal data or secrets; hidden at any depth, compared without case and separators.
 * `name` is one of them: log a projection as `projection`, a topic as `topic`.
 */
const HIDDEN_KEYS = new Set(
  [
    ...['user', 'email', 'emails', 'userName', 'name', 'given', 'family', 'display', 'displayName'],
    ...['givenName', 'familyName', 'phone', 'phones', 'phoneNumber', 'attributes', 'locale', 'timezone'],
    ...['before', 'after', 'payload', 'event', 'body', 'record', 'value', 'values', 'parameters', 'detail'],
    ...['authorization', 'cookie', 'setCookie', 'password', 'secret', 'token', 'accessToken', 'refreshToken'],
    ...['apiKey', 'credentials', 'q', 'query', 'search'],
  ].map(normalize),
)

/** A copy of the facts that is safe to log: personal data and secrets hidden by key, errors serialized, bytes counted. */
export function redact(facts: unknown, depth = 0): unknown {
  if (typeof facts !== 'object' || facts === null) return typeof facts === 'bigint' ? String(facts) : facts
  if (facts instanceof Error) return serializeError(facts)
  if (facts instanceof Date) return facts
  if (ArrayBuffer.isView(facts)) return `(${facts.byteLength} bytes)`
  if (depth >= MAX_DEPTH) return '(too deep)'
  if (Array.isArray(facts)) return facts.slice(0, MAX_ITEMS).map((item) => redact(item, depth + 1))
  const safe: Record<string, unknown> = {}
  for (const key of Object.keys(facts)) {
    safe[key] = isHidden(key) ? HIDDEN : redact((facts as Record<string, unknown>)[key], depth + 1)
  }
  return safe
}

/** An error as a log line shows it. */
export interface LoggedError {
  readonly name: string
  readonly message: string
  readonly code?: string
  readonly retryable?: boolean
  readonly facts?: unknown
  readonly constraint?: string
  readonly stack?: readonly string[]
  readonly cause?: LoggedError
}

/**
 * The facts of an error that are safe to log: name, message, code, stack frames and causes.
 *
 * Fields that drivers add are dropped, because they carry row values (`detail`, `where`, `parameters` of pg), and so are
 * values inside messages: PostgreSQL quotes the input of a data exception (SQLSTATE class 22) and V8 quotes the text of
 * malformed JSON. E-mail addresses and the credentials of URLs are masked wherever they stand.
 */
export function serializeError(error: unknown, depth = 0): LoggedError {
  if (!(error instanceof Error)) return { name: 'NonError', message: typeof error }
  const { code, constraint, cause } = error as { code?: unknown; constraint?: unknown; cause?: unknown }
  return {
    name: error.name,
    message: safeMessage(error, code),
    ...(typeof code === 'string' ? { code } : {}),
    ...(typeof constraint === 'string' ? { constraint } : {}),
    ...(error instanceof RollcallError ? { retryable: error.retryable, facts: redact(error.facts) } : {}),
    ...(depth === 0 ? { stack: frames(error) } : {}),
    ...(cause !== undefined && depth < MAX_CAUSES ? { cause: serializeError(cause, depth + 1) } : {}),
  }
}

function safeMessage(error: Error, code: unknown): string {
  const message = cut(error.message)
  return maskValues(isDataException(error, code) || error instanceof SyntaxError ? headOf(message) : message)
}

// Looking for addresses takes the square of the length: 2 MB of text in one word held a process for hours. Cut between
// words, because half an address would not be found.
function cut(message: string): string {
  if (message.length <= MAX_MESSAGE) return message
  const start = message.slice(0, MAX_MESSAGE)
  const end = start.search(/\s\S*$/)
  return `${start.slice(0, Math.max(end, 0))} … (${message.length} characters)`
}

// "invalid input syntax for type uuid: "<value>"" and "Unexpected token 'a', "<text>" is not valid JSON".
const headOf = (message: string) => message.replace(/["'].*$/s, '(value hidden)')

const isDataException = (error: Error, code: unknown) =>
  'severity' in error && typeof code === 'string' && code.length === 5 && code.startsWith('22')

const maskValues = (message: string) =>
  message
    .replace(/\/\/[^\s/@]*:[^\s/@]*@/g, '//(hidden)@')
    .replace(/[^\s"'<>()=,;:/\\]+@[^\s"'<>()=,;:/\\]+\.[^\s"'<>()=,;:/\\]+/g, '(e-mail hidden)')

// The frames only: the head of a stack repeats the message.
function frames(error: Error): string[] {
  return (error.stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, MAX_FRAMES)
    .map((line) => line.trim())
}

// Keys repeat on every line: remember the answer, up to a bound that only a stream of made-up keys would reach.
const known = new Map<string, boolean>()
function isHidden(key: string): boolean {
  let hidden = known.get(key)
  if (hidden === undefined) {
    hidden = HIDDEN_KEYS.has(normalize(key))
    if (known.size < 1_000) known.set(key, hidden)
  }
  return hidden
}

function normalize(key: string): string {
  return key.toLowerCase().replace(/[-_]/g, '')
}
