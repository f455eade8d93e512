/** One line of the input: its bytes without the line end, or that it was too long to be kept. */
export type InputLine =
  | { readonly line: number; readonly bytes: Buffer }
  | { readonly line: number; readonly bytes: null }

/**
 * Splits arriving chunks into lines, numbered from `firstLine`. Holds one line at most: bytes past `maxLineBytes` are
 * dropped until the line ends. Lines end with LF or CRLF; the last one may go without.
 */
export function createLineSplitter(firstLine: number, maxLineBytes: number) {
  let line = firstLine
  let parts: Buffer[] = []
  let size = 0

  const keep = (bytes: Buffer) => {
    size += bytes.length
    // One byte over is remembered as too long already: the parts can go.
    if (size > maxLineBytes + 1) parts = []
    else if (bytes.length > 0) parts.push(bytes)
  }
  const end = (): InputLine => {
    const whole = parts.length === 1 ? (parts[0] ?? EMPTY) : Buffer.concat(parts)
    const bytes = whole.at(-1) === CR ? whole.subarray(0, -1) : whole
    const isKept = size <= maxLineBytes + 1 && bytes.length <= maxLineBytes
    parts = []
    size = 0
    return { line: line++, bytes: isKept ? bytes : null }
  }

  return {
    *push(chunk: Buffer): Generator<InputLine> {
      let from = 0
      for (let at = chunk.indexOf(LF); at !== -1; at = chunk.indexOf(LF, from)) {
        keep(chunk.subarray(from, at))
        from = at + 1
        yield end()
      }
      // Copied: a view would keep the whole chunk of the socket alive for the sake of half a line.
      keep(Buffer.from(chunk.subarray(from)))
    },
    /** The line that the input ended in. */
    rest(): InputLine | undefined {
      return size === 0 ? undefined : end()
    },
  }
}

const LF = 0x0a
const CR = 0x0d
const EMPTY = Buffer.alloc(0)
