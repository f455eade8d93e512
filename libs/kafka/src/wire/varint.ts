/** Zig-zag varints of the record format: int32 in plain integer arithmetic, varlong in doubles up to 2^53. */

export function varintSize(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  if (zigzag < 0x80) return 1
  if (zigzag < 0x4000) return 2
  if (zigzag < 0x20_0000) return 3
  return zigzag < 0x1000_0000 ? 4 : 5
}

/** Writes at `at`, answers the position after it. */
export function writeVarint(target: Uint8Array, at: number, value: number): number {
  let zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  while (zigzag >= 0x80) {
    target[at++] = (zigzag & 0x7f) | 0x80
    zigzag >>>= 7
  }
  target[at++] = zigzag
  return at
}

const fitsInt32 = (value: number) => value === (value | 0)

export function varlongSize(value: number): number {
  if (fitsInt32(value)) return varintSize(value)
  let zigzag = value < 0 ? -2 * value - 1 : 2 * value
  let size = 1
  for (; zigzag >= 0x80; zigzag = Math.floor(zigzag / 0x80)) size++
  return size
}

/** Exact for |value| <= 2^52: milliseconds between any two dates. */
export function writeVarlong(target: Uint8Array, at: number, value: number): number {
  if (fitsInt32(value)) return writeVarint(target, at, value)
  let zigzag = value < 0 ? -2 * value - 1 : 2 * value
  for (; zigzag >= 0x80; zigzag = Math.floor(zigzag / 0x80)) target[at++] = (zigzag % 0x80) | 0x80
  target[at++] = zigzag
  return at
}

/** A cursor over record bytes; reads past the end throw RangeError. */
export interface Cursor {
  readonly bytes: Uint8Array
  at: number
}

export function readVarint(cursor: Cursor): number {
  const { bytes } = cursor
  let at = cursor.at
  let zigzag = 0
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = bytes[at++]
    if (byte === undefined) throw new RangeError('a varint runs past the end of the record')
    zigzag |= (byte & 0x7f) << shift
    if (byte < 0x80) {
      cursor.at = at
      return (zigzag >>> 1) ^ -(zigzag & 1)
    }
  }
  throw new RangeError('a varint is longer than five bytes')
}

export function readVarlong(cursor: Cursor): number {
  const { bytes } = cursor
  let at = cursor.at
  let zigzag = 0
  for (let scale = 1; scale <= 2 ** 63; scale *= 0x80) {
    const byte = bytes[at++]
    if (byte === undefined) throw new RangeError('a varlong runs past the end of the record')
    zigzag += (byte & 0x7f) * scale
    if (byte < 0x80) {
      cursor.at = at
      return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2
    }
  }
  throw new RangeError('a varlong is longer than ten bytes')
}
