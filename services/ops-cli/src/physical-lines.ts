import { isUtf8 } from 'node:buffer'

/** One line of a file as it lies there, without its line end. */
export interface PhysicalLine {
  /** Counted from 1. */
  readonly number: number
  /** Bytes of the file up to and including this line's end: where reading goes on. */
  readonly endByte: number
  /** The text; only its beginning when the line is longer than allowed. */
  readonly text: string
  /** Why the text is not what the file says; absent when all is well. */
  readonly broken?: 'too long' | 'not UTF-8'
}

export interface PhysicalLinesOptions {
  /** Lines and bytes that were skipped before the first chunk. @default 0 */
  readonly afterLine?: number
  readonly afterByte?: number
  /** @default 1048576 */
  readonly maxLineBytes?: number
}

/** Splits bytes into lines (LF or CRLF) in constant memory; an overlong line is cut and marked, never collected. */
export async function* physicalLines(
  chunks: AsyncIterable<Uint8Array>,
  { afterLine = 0, afterByte = 0, maxLineBytes = 1024 * 1024 }: PhysicalLinesOptions = {},
): AsyncGenerator<PhysicalLine> {
  let number = afterLine
  let endByte = afterByte
  let rest = Buffer.alloc(0)
  let droppedBytes = 0

  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk])
    let start = 0
    for (let end = bytes.indexOf(LF); end !== -1; end = bytes.indexOf(LF, start)) {
      endByte += droppedBytes + (end + 1 - start)
      yield lineOf(bytes.subarray(start, end), ++number, endByte, droppedBytes > 0, maxLineBytes)
      droppedBytes = 0
      start = end + 1
    }
    rest = bytes.subarray(start)
    if (rest.length > maxLineBytes) {
      droppedBytes += rest.length - KEPT_OF_LONG_LINE
      rest = rest.subarray(0, KEPT_OF_LONG_LINE)
    }
  }
  if (rest.length > 0) {
    endByte += droppedBytes + rest.length
    yield lineOf(rest, ++number, endByte, droppedBytes > 0, maxLineBytes)
  }
}

const LF = 10
const CR = 13
const BOM = Buffer.from([0xef, 0xbb, 0xbf])
const KEPT_OF_LONG_LINE = 256

function lineOf(raw: Buffer, number: number, endByte: number, wasCut: boolean, maxLineBytes: number): PhysicalLine {
  let bytes = raw.at(-1) === CR ? raw.subarray(0, -1) : raw
  if (number === 1 && bytes.subarray(0, 3).equals(BOM)) bytes = bytes.subarray(3)
  if (wasCut || bytes.length > maxLineBytes) {
    return { number, endByte, text: `${bytes.toString('utf8', 0, KEPT_OF_LONG_LINE)}…`, broken: 'too long' }
  }
  const text = bytes.toString('utf8')
  return isUtf8(bytes) ? { number, endByte, text } : { number, endByte, text, broken: 'not UTF-8' }
}
