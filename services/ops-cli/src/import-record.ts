/** A place in a source: everything before it has been read. */
export interface SourcePosition {
  /** Physical lines passed. */
  readonly line: number
  /** Bytes passed. */
  readonly byte: number
}

/** One entry of a source: a user to send, or why there is none. */
export type ImportRecord = (ReadableRecord | BadRecord) & {
  /** The physical line it begins on, counted from 1 (a CSV header is line 1). */
  readonly line: number
  /** As it stands in the source; several lines when a quoted CSV field spans them. */
  readonly original: string
  readonly end: SourcePosition
}

export interface ReadableRecord {
  readonly kind: 'user'
  /** The user as the registry's import takes it: JSON on one line. */
  readonly json: string
}

export interface BadRecord {
  readonly kind: 'bad'
  readonly code: 'ERR_CSV_QUOTING' | 'ERR_CSV_COLUMNS' | 'ERR_LINE_LENGTH' | 'ERR_LINE_ENCODING'
  /** What is wrong, for people. */
  readonly reason: string
}
