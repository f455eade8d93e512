import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/**
 * The last error a service wrote to its log, as one line for people; its last line when none is marked as one.
 *
 * @param from byte position to look from
 */
export function lastErrorIn(logFile: string, from = 0): string | undefined {
  const lines = endOf(logFile, from)
    .split('\n')
    .filter((line) => line.trim() !== '')
    .reverse()
  return lines.map(toError).find((error) => error !== undefined) ?? (lines[0] && shortened(lines[0]))
}

/** What to do about errors whose own message, written for the one who changed the code, does not tell. */
export function cureFor(error = ''): string | undefined {
  return error.startsWith('ERR_MIGRATION_CHANGED')
    ? 'The data is of other migrations than the code: `npm start -- --fresh` throws it away and starts anew.'
    : undefined
}

/** Long enough for an error with its causes and their stacks. */
const READ_BYTES = 65_536
const LONGEST_LINE = 500

function endOf(path: string, from: number): string {
  let file: number | undefined
  try {
    file = openSync(path, 'r')
    const { size } = fstatSync(file)
    const buffer = Buffer.alloc(Math.min(Math.max(size - from, 0), READ_BYTES))
    const bytes = readSync(file, buffer, 0, buffer.length, size - buffer.length)
    return buffer.toString('utf8', 0, bytes)
  } catch {
    return ''
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

/** A line that begins with a code or with the name of an error, or a log line in JSON with level error or fatal. */
function toError(line: string): string | undefined {
  if (/^(ERR_[A-Z_]+|([A-Z]\w*)?Error\b[^:]*): /.test(line)) return shortened(line)
  const entry = parsed(line)
  if (entry === undefined || (entry.level !== 'error' && entry.level !== 'fatal')) return undefined
  const { code, message } = entry.err ?? entry.error ?? {}
  const error = [code, message].filter((part) => part !== undefined).join(': ')
  return shortened(error === '' ? String(entry.msg) : error)
}

interface LogEntry {
  readonly level?: unknown
  readonly msg?: unknown
  readonly err?: LoggedError
  readonly error?: LoggedError
}

interface LoggedError {
  readonly code?: string
  readonly message?: string
}

function parsed(line: string): LogEntry | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

const shortened = (line: string) => (line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE)}…` : line)
