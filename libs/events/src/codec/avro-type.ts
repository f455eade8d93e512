import avsc from 'avsc'
import type { JsonObject } from '../json.js'

/** What avsc keeps to itself and the classes below must override. */
interface Tap {
  pos: number
  readonly buf: Buffer
  readLong(): number
  skipLong(): void
  writeString(text: string): void
}
interface Inner {
  _read(tap: Tap): unknown
  _skip(tap: Tap): void
}
type Schema = Parameters<typeof avsc.Type.forSchema>[0]
type Options = NonNullable<Parameters<typeof avsc.Type.forSchema>[1]>

/** Compiles a self-contained schema. What it decodes is plain data, and decoding never takes more than the bytes justify. */
export function avroType(schema: unknown): avsc.Type {
  return avsc.Type.forSchema(schema as Schema, avroOptions())
}

/** The options behind `avroType`; new ones at each call, because avsc writes into them. */
export function avroOptions(): Options {
  return {
    logicalTypes: { 'timestamp-millis': TimestampType, json: JsonType, uuid: UuidType } as unknown as NonNullable<
      Options['logicalTypes']
    >,
    wrapUnions: 'never',
    omitRecordMethods: true,
    typeHook,
  }
}

function typeHook(schema: Schema, options: Options): avsc.Type | undefined {
  const type = typeof schema === 'string' ? schema : (schema as { type?: unknown }).type
  if (type === 'string' && !isLogical(schema)) return new ShortStringType()
  if (type === 'record') return new PlainRecordType(schema, options)
  if (type === 'array') return new BoundedArrayType(schema, options)
  if (type === 'map') throw new TypeError('maps are not read here')
  return undefined
}

// avsc makes records with a constructor of their own, and is fast for it. Given the prototype of plain objects, what the
// constructor makes is a plain object, still with one hidden class per record.
class PlainRecordType extends avsc.types.RecordType {
  constructor(schema: Schema, options: Options) {
    super(schema, options)
    ;(this.recordConstructor as { prototype: unknown }).prototype = Object.prototype
  }
}

class ShortStringType extends avsc.types.StringType {
  _write(tap: Tap, text: unknown): void {
    writeText(tap, text)
  }
}

// avsc counts the bytes of a string in one pass and writes them in another. Most strings of our events are short and
// ASCII, whose count is known: a quarter less time for a whole event (7.2 to 5.4 us on one busy core).
function writeText(tap: Tap, text: unknown): void {
  if (typeof text !== 'string') throw new TypeError('not a string')
  const { buf, pos } = tap
  const { length } = text
  if (length > 63 || pos + length >= buf.length) {
    writeUtf8(tap, text)
    return
  }
  let at = pos + 1
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    if (code > 0x7f) {
      writeUtf8(tap, text)
      return
    }
    buf[at++] = code
  }
  // A length below 64 is one byte, in zigzag form.
  buf[pos] = length << 1
  tap.pos = at
}

// Other strings in one pass too, where the width of the length is known beforehand: UTF-8 takes 1 to 3 bytes a unit.
function writeUtf8(tap: Tap, text: string): void {
  const { buf, pos } = tap
  const most = text.length * 3
  if (pos + 2 + most > buf.length) tap.writeString(text)
  else if (most < 64) {
    const bytes = buf.write(text, pos + 1)
    buf[pos] = bytes << 1
    tap.pos = pos + 1 + bytes
  } else if (text.length > 63 && most < 8_192) {
    const bytes = buf.write(text, pos + 2)
    buf[pos] = ((bytes << 1) & 0x7f) | 0x80
    buf[pos + 1] = bytes >> 6
    tap.pos = pos + 2 + bytes
  } else tap.writeString(text)
}

// avsc believes the number of items that the bytes claim: 5 bytes can ask for an array of 2^31. Every item takes at least
// one byte (writer-type.ts sees to it), so a claim beyond the bytes that are left is a lie. avsc also reads on behind the
// end, where everything is 0, and tells afterwards; an array stops there.
class BoundedArrayType extends avsc.types.ArrayType {
  // `this` may be a resolver of another version of the schema; both have itemsType.
  _read(tap: Tap): unknown[] {
    const items = this.itemsType as unknown as Inner
    const values: unknown[] = []
    for (let count = claimedItems(tap); count !== 0; count = claimedItems(tap)) {
      while (count-- > 0) {
        values.push(items._read(tap))
        if (tap.pos > tap.buf.length) throw cutShort()
      }
    }
    return values
  }

  _skip(tap: Tap): void {
    const items = this.itemsType as unknown as Inner
    for (let count = claimedItems(tap); count !== 0; count = claimedItems(tap)) {
      while (count-- > 0) {
        items._skip(tap)
        if (tap.pos > tap.buf.length) throw cutShort()
      }
    }
  }
}

const cutShort = () => new RangeError('an array is cut short')

function claimedItems(tap: Tap): number {
  let count = tap.readLong()
  if (count < 0) {
    count = -count
    tap.skipLong()
  }
  if (count > tap.buf.length - tap.pos && count !== 0)
    throw new RangeError('an array claims more items than there are bytes')
  return count
}

class TimestampType extends avsc.types.LogicalType {
  protected override _fromValue(ms: number): Date {
    if (Math.abs(ms) > 8.64e15) throw new RangeError('a time is outside of what a Date can hold')
    return new Date(ms)
  }

  protected override _toValue(date: unknown): number | undefined {
    if (!(date instanceof Date)) return undefined
    const ms = date.getTime()
    return Number.isNaN(ms) ? undefined : ms
  }

  protected override _resolve(writer: avsc.Type): unknown {
    return sameOrPlain(writer, 'timestamp-millis', 'long', this._fromValue)
  }
}

class JsonType extends avsc.types.LogicalType {
  _write(tap: Tap, value: unknown): void {
    writeText(tap, this._toValue(value))
  }

  protected override _fromValue(text: string): JsonObject {
    if (text === '{}') return {}
    if (isTooDeep(text)) throw new RangeError(`an attribute of type json nests deeper than ${MAX_JSON_DEPTH}`)
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      // The message of V8 quotes the text.
      throw new TypeError('an attribute of type json is not JSON')
    }
    if (!isObject(value)) throw new TypeError('an attribute of type json is not a JSON object')
    return value as JsonObject
  }

  protected override _toValue(value: unknown): string | undefined {
    const text = isObject(value) ? JSON.stringify(value) : undefined
    return text === undefined || isTooDeep(text) ? undefined : text
  }

  protected override _resolve(writer: avsc.Type): unknown {
    return sameOrPlain(writer, 'json', 'string', this._fromValue)
  }
}

// JSON.parse takes any depth, and whatever walks through the value afterwards runs out of stack: at 5,000 or so.
function isTooDeep(text: string): boolean {
  if (text.length <= 2 * MAX_JSON_DEPTH) return false
  let depth = 0
  let isQuoted = false
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (isQuoted) {
      if (code === BACKSLASH) at++
      else if (code === QUOTE) isQuoted = false
    } else if (code === QUOTE) isQuoted = true
    else if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
      if (++depth > MAX_JSON_DEPTH) return true
    } else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) depth--
  }
  return false
}

/** The registry takes 8. */
const MAX_JSON_DEPTH = 64
const [QUOTE, BACKSLASH, OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d]

// Checked when it is written only: an id that is no UUID must not become the key of a record.
class UuidType extends avsc.types.LogicalType {
  _write(tap: Tap, text: unknown): void {
    writeText(tap, this._toValue(text))
  }

  protected override _fromValue(text: string): string {
    return text
  }

  protected override _toValue(text: unknown): string | undefined {
    return typeof text === 'string' && UUID.test(text) ? text : undefined
  }

  protected override _resolve(writer: avsc.Type): unknown {
    return sameOrPlain(writer, 'uuid', 'string', this._fromValue)
  }
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

// A writer's logical type has converted the value already; a writer's plain type has not.
function sameOrPlain(writer: avsc.Type, logical: string, plain: string, convert: unknown): unknown {
  if (writer.typeName === `logical:${logical}`) return (value: unknown) => value
  return writer.typeName === plain ? convert : undefined
}

const isLogical = (schema: Schema) => typeof schema === 'object' && 'logicalType' in schema

const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value)
