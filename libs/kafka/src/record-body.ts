import { RecordBodyInvalidError } from './errors/kafka-errors.js'
import { type Cursor, readVarint, varintSize, writeVarint } from './wire/varint.js'

/** What a record carries apart from its place and time. Text is UTF-8. */
export interface RecordBody {
  readonly key: Uint8Array | string | null
  readonly value: Uint8Array | string | null
  readonly headers?: Readonly<Record<string, Uint8Array | string>>
}

export interface DecodedRecordBody {
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** Of several headers with one name the last stands. */
  readonly headers: Record<string, Buffer>
}

/**
 * Encodes the tail of a Kafka record, format v2, exactly as it will stand in the log: key length, key, value length,
 * value, header count, headers. What comes before it (length, timestamp and offset deltas) is known only when sent.
 */
export function encodeRecordBody({ key, value, headers = {} }: RecordBody): Buffer {
  const keyBytes = toBytes(key)
  const valueBytes = toBytes(value)
  const names = Object.keys(headers)
  const headerBytes: Uint8Array[] = []
  let size = sizeOf(keyBytes) + sizeOf(valueBytes) + varintSize(names.length)
  for (const name of names) {
    const nameBytes = Buffer.from(name)
    const headerValue = toBytes(headers[name] ?? null) ?? EMPTY
    headerBytes.push(nameBytes, headerValue)
    size += sizeOf(nameBytes) + sizeOf(headerValue)
  }
  const body = Buffer.allocUnsafe(size)
  let at = put(body, 0, keyBytes)
  at = put(body, at, valueBytes)
  at = writeVarint(body, at, names.length)
  for (const bytes of headerBytes) at = put(body, at, bytes)
  return body
}

/**
 * Reads a body back; key, value and headers are views of `body`, not copies.
 *
 * @throws RecordBodyInvalidError when the bytes are not one whole record body.
 */
export function decodeRecordBody(body: Uint8Array): DecodedRecordBody {
  const cursor: Cursor = { bytes: body, at: 0 }
  try {
    const key = take(cursor)
    const value = take(cursor)
    const headers = readHeaders(cursor)
    if (cursor.at !== body.length) throw new RangeError(`${body.length - cursor.at} bytes are left after the headers`)
    return { key, value, headers }
  } catch (error) {
    throw new RecordBodyInvalidError(body.length, error)
  }
}

/** Reads `count, (name, value)*` at the cursor. */
export function readHeaders(cursor: Cursor): Record<string, Buffer> {
  // Without a prototype: a header may be called __proto__.
  const headers: Record<string, Buffer> = Object.create(null)
  for (let left = claimedHeaders(cursor); left > 0; left--) {
    const name = take(cursor) ?? EMPTY
    headers[name.toString()] = take(cursor) ?? EMPTY
  }
  return headers
}

/** The value of one header; nothing is made of the others. */
export function findHeader(cursor: Cursor, name: string): Buffer | undefined {
  let found: Buffer | undefined
  for (let left = claimedHeaders(cursor); left > 0; left--) {
    const length = readVarint(cursor)
    const isIt = length === name.length && holds(cursor, name)
    if (length > 0) cursor.at += length
    if (isIt) found = take(cursor) ?? EMPTY
    else {
      const size = readVarint(cursor)
      if (size > 0) cursor.at += size
    }
  }
  return found
}

// A header takes two bytes at least: a larger claim is a lie that would be followed for minutes.
function claimedHeaders(cursor: Cursor): number {
  const count = readVarint(cursor)
  if (count * 2 > cursor.bytes.length - cursor.at) throw new RangeError('more headers than there are bytes')
  return count
}

// By char code: for names in ASCII, which header names of CloudEvents and of ours are.
function holds({ bytes, at }: Cursor, name: string): boolean {
  for (let index = 0; index < name.length; index++) if (bytes[at + index] !== name.charCodeAt(index)) return false
  return true
}

const EMPTY = Buffer.alloc(0)

function toBytes(value: Uint8Array | string | null): Uint8Array | null {
  return typeof value === 'string' ? Buffer.from(value) : value
}

function sizeOf(bytes: Uint8Array | null): number {
  return bytes === null ? 1 : varintSize(bytes.length) + bytes.length
}

function put(target: Buffer, at: number, bytes: Uint8Array | null): number {
  if (bytes === null) return writeVarint(target, at, -1)
  const start = writeVarint(target, at, bytes.length)
  target.set(bytes, start)
  return start + bytes.length
}

function take(cursor: Cursor): Buffer | null {
  const length = readVarint(cursor)
  if (length < 0) return null
  const start = cursor.at
  const end = start + length
  if (end > cursor.bytes.length) throw new RangeError('a length runs past the end of the record')
  cursor.at = end
  return Buffer.from(cursor.bytes.buffer, cursor.bytes.byteOffset + start, length)
}
