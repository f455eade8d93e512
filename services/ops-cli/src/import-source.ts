import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { addAbortSignal, type Readable } from 'node:stream'
import { UsageInvalidError } from './command-errors.js'
import { type CsvColumns, type CsvColumnsOptions, readCsvHeader } from './csv-columns.js'
import { csvUsers } from './csv-users.js'
import type { ImportRecord, SourcePosition } from './import-record.js'
import { ndjsonUsers } from './ndjson-users.js'
import { physicalLines } from './physical-lines.js'

export type ImportFormat = 'csv' | 'ndjson'

/** A file (or a pipe) of users, and how it is read. */
export interface ImportSource {
  /** The records after a place; a pipe can only be read from its start. */
  records(after: SourcePosition): AsyncIterable<ImportRecord>
  /** Undefined for a pipe. */
  readonly bytes: number | undefined
  /** Equal for two files that begin, end and measure alike; undefined for a pipe. */
  readonly fingerprint: string | undefined
  /** Ends a reading that was not finished. */
  close(): void
}

export interface ImportSourceOptions extends CsvColumnsOptions {
  readonly format: ImportFormat
}

export const SOURCE_START: SourcePosition = { line: 0, byte: 0 }

/**
 * Opens a file of users.
 *
 * @throws UsageInvalidError when it does not exist, is a folder, or its CSV header is not understood
 */
export async function openImportFile(path: string, options: ImportSourceOptions): Promise<ImportSource> {
  const bytes = await sizeOf(path)
  const linesAfter = (at: SourcePosition) =>
    physicalLines(createReadStream(path, { start: at.byte, highWaterMark: 256 * 1024 }), {
      afterLine: at.line,
      afterByte: at.byte,
    })
  const header = options.format === 'csv' ? await firstLineOf(linesAfter(SOURCE_START), options, path) : undefined
  return {
    bytes,
    fingerprint: await fingerprintOf(path, bytes),
    close() {},
    records(after) {
      if (header === undefined) return ndjsonUsers(linesAfter(after))
      return csvUsers(linesAfter(after.byte === 0 ? header.end : after), header.columns)
    },
  }
}

/** Reads users from a pipe, once; an aborted signal ends it, also while it is silent. */
export function openImportPipe(input: Readable, options: ImportSourceOptions, signal: AbortSignal): ImportSource {
  addAbortSignal(signal, input)
  return {
    bytes: undefined,
    fingerprint: undefined,
    // A pipe that is still open would keep the process alive until its writer ends.
    close: () => void input.destroy(),
    async *records() {
      const lines = physicalLines(input)
      if (options.format === 'ndjson') yield* ndjsonUsers(lines)
      else yield* csvUsers(lines, (await headerOf(lines, options, 'standard input')).columns)
    },
  }
}

/**
 * The format a file name tells.
 *
 * @throws UsageInvalidError when it tells none
 */
export function formatOf(path: string): ImportFormat {
  if (/\.csv$/i.test(path)) return 'csv'
  if (/\.(ndjson|jsonl)$/i.test(path)) return 'ndjson'
  throw new UsageInvalidError(
    `The format of ${path === '-' ? 'standard input' : path} is not known from its name; add --format csv or --format ndjson.`,
  )
}

async function firstLineOf(lines: Lines, options: CsvColumnsOptions, name: string) {
  try {
    return await headerOf(lines, options, name)
  } finally {
    await lines.return(undefined)
  }
}

type Lines = ReturnType<typeof physicalLines>

async function headerOf(
  lines: Lines,
  options: CsvColumnsOptions,
  name: string,
): Promise<{ columns: CsvColumns; end: SourcePosition }> {
  const { value: first, done } = await lines.next()
  if (done === true) throw new UsageInvalidError(`${name} is empty; its first line must name the columns.`)
  return { columns: readCsvHeader(first.text, options), end: { line: first.number, byte: first.endByte } }
}

async function sizeOf(path: string): Promise<number> {
  try {
    const found = await stat(path)
    if (found.isFile()) return found.size
  } catch (cause) {
    const { code } = cause as { code?: string }
    throw new UsageInvalidError(`${path} cannot be read (${code === 'ENOENT' ? 'no such file' : code}).`)
  }
  throw new UsageInvalidError(`${path} is not a file. To read a pipe give - as the file.`)
}

// The ends rather than the whole: hashing 10 GB to resume would cost a minute. What an edit in the middle that keeps the
// size would hide, the registry tells: it refuses a line that was sent before with other content.
async function fingerprintOf(path: string, bytes: number): Promise<string> {
  const hash = createHash('sha256').update(`${bytes}:`)
  const file = await open(path)
  try {
    for (const position of [0, Math.max(0, bytes - FINGERPRINT_BYTES)]) {
      const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(FINGERPRINT_BYTES), position })
      hash.update(buffer.subarray(0, bytesRead))
    }
  } finally {
    await file.close()
  }
  return hash.digest('hex').slice(0, 32)
}

const FINGERPRINT_BYTES = 64 * 1024
