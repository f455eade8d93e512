import { createLogger, type Logger } from '../create-logger.js'

/** One log line, parsed. */
export interface LogLine {
  readonly level: string
  readonly msg: string
  readonly [fact: string]: unknown
}

export interface LogSink {
  readonly logger: Logger
  /** Every line written so far. */
  lines(): LogLine[]
  /** The text of every line, for a search that must find nothing. */
  text(): string
}

/** A real logger, at level debug, whose lines are kept in memory. */
export function logSink(service = 'test'): LogSink {
  const written: string[] = []
  return {
    logger: createLogger({ service, level: 'debug', destination: { write: (line) => void written.push(line) } }),
    lines: () => written.map((line) => JSON.parse(line) as LogLine),
    text: () => written.join(''),
  }
}

/** A logger that writes nothing. */
export const silentLogger: Logger = createLogger({ service: 'test', level: 'silent', destination: { write() {} } })
