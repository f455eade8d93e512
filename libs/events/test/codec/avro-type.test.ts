import fc from 'fast-check'
import { avroType } from '../../src/codec/avro-type.js'

const record = (fields: unknown[]) => avroType({ type: 'record', name: 'R', fields })
const TEXT = record([
  { name: 'a', type: 'string' },
  { name: 'b', type: 'string' },
])

test('any text comes back as it went, whatever its script and length, and the next field after it', () => {
  const lengths = fc.constantFrom(0, 1, 20, 21, 22, 62, 63, 64, 65, 2_730, 2_731, 8_192, 9_000)
  const text = lengths.chain((length) => fc.string({ unit: 'binary', minLength: length, maxLength: length }))
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(TEXT.fromBuffer(TEXT.toBuffer({ a, b }))).toEqual({ a, b })
    }),
    { numRuns: 60 },
  )
})

test('the bytes are those of plain Avro', () => {
  // Zigzag length, UTF-8; https://avro.apache.org/docs/1.12.0/specification/#binary-encoding
  expect(TEXT.toBuffer({ a: 'foo', b: 'é' }).toString('hex')).toBe('06666f6f04c3a9')
  expect(TEXT.toBuffer({ a: 'x'.repeat(64), b: '' }).toString('hex')).toBe(`8001${'78'.repeat(64)}00`)
  expect(
    TEXT.toBuffer({ a: 'é'.repeat(40), b: '' })
      .subarray(0, 2)
      .toString('hex'),
  ).toBe('a001')
})

test('a buffer that is too small says by how much, at any size', () => {
  const value = { a: 'né à Þórshöfn, 小雨', b: 'x'.repeat(70) }
  const whole = TEXT.toBuffer(value)
  for (let size = 0; size < whole.length; size++) {
    expect(TEXT.encode(value, Buffer.alloc(size), 0)).toBe(size - whole.length)
  }
})

test('an array that claims 2^31 items is refused, before anything is made for them', () => {
  const type = record([{ name: 'items', type: { type: 'array', items: 'string' } }])
  const claim = Buffer.from('8080808010', 'hex')
  const before = process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed
  expect(() => type.fromBuffer(claim)).toThrow('more items than there are bytes')
  // The same with a negative count and a block size, and in a field that the reader skips.
  expect(() => type.fromBuffer(Buffer.from('ffffffff0f02', 'hex'))).toThrow('more items than there are bytes')
  const reader = record([{ name: 'other', type: 'string', default: '' }])
  const skipping = reader.createResolver(type)
  expect(() => reader.decode(claim, 0, skipping)).toThrow('more items than there are bytes')
  expect(process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed - before).toBeLessThan(50e6)
})

test('what is decoded is plain data, also through another version of the schema', () => {
  const old = record([{ name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } }])
  const now = record([
    { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'more', type: { type: 'string', logicalType: 'json' }, default: '{}' },
  ])
  const value = now.fromBuffer(old.toBuffer({ at: new Date(5) }), now.createResolver(old))
  expect(value).toStrictEqual({ at: new Date(5), more: {} })
})

test.each([
  ['a time no Date can hold', { type: 'long', logicalType: 'timestamp-millis' }, 'long', 8.65e15],
  ['text that is no JSON', { type: 'string', logicalType: 'json' }, 'string', '{"secret-canary"'],
  ['JSON that is no object', { type: 'string', logicalType: 'json' }, 'string', '["secret-canary"]'],
])('%s is refused without being quoted', (_what, logical, plain, value) => {
  const bytes = record([{ name: 'x', type: plain }]).toBuffer({ x: value })
  const read = () => record([{ name: 'x', type: logical }]).fromBuffer(bytes)
  expect(read).toThrow()
  expect(read).not.toThrow(/canary/)
})

test('JSON that nests without end is neither read nor written; brackets in its texts do not count', () => {
  const json = record([{ name: 'x', type: { type: 'string', logicalType: 'json' } }])
  const nest = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
  const read = (text: string) => json.fromBuffer(record([{ name: 'x', type: 'string' }]).toBuffer({ x: text }))
  expect(() => read(nest(65))).toThrow('nests deeper than 64')
  expect(() => read(nest(100_000))).toThrow('nests deeper than 64')
  expect(() => json.toBuffer({ x: JSON.parse(nest(65)) })).toThrow()
  expect(read(nest(64))).toEqual({ x: JSON.parse(nest(64)) })
  const texts = { x: { a: `"${'[{\\'.repeat(200)}` } }
  expect(json.fromBuffer(json.toBuffer(texts))).toEqual(texts)
})

test('a status of the future is read as the default of the enum', () => {
  const status = (symbols: string[]) =>
    record([{ name: 's', type: { type: 'enum', name: 'S', symbols, default: 'suspended' } }])
  const [reader, writer] = [status(['active', 'suspended']), status(['active', 'suspended', 'frozen'])]
  const read = (s: string) => reader.fromBuffer(writer.toBuffer({ s }), reader.createResolver(writer))
  expect([read('active'), read('frozen')]).toEqual([{ s: 'active' }, { s: 'suspended' }])
})
