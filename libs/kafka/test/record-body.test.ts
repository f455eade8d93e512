import fc from 'fast-check'
import { RecordBodyInvalidError } from '../src/errors/kafka-errors.js'
import { decodeRecordBody, encodeRecordBody } from '../src/record-body.js'
import { readVarint, readVarlong, varintSize, varlongSize, writeVarint, writeVarlong } from '../src/wire/varint.js'

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))
const body = fc.record({
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc.dictionary(fc.string({ maxLength: 40, unit: 'grapheme' }), bytes, { maxKeys: 12, noNullPrototype: true }),
})

test('a decoded body is what was encoded', () => {
  fc.assert(
    fc.property(body, ({ key, value, headers }) => {
      const decoded = decodeRecordBody(encodeRecordBody({ key, value, headers }))
      expect({ ...decoded, headers: Object.entries(decoded.headers) }).toEqual({
        key,
        value,
        headers: Object.entries(headers),
      })
    }),
  )
})

test('a body has not one byte to spare: no cut or longer one decodes', () => {
  fc.assert(
    fc.property(body, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (given, share) => {
      const encoded = encodeRecordBody(given)
      expect(() => decodeRecordBody(encoded.subarray(0, Math.floor(encoded.length * share)))).toThrow(
        RecordBodyInvalidError,
      )
      expect(() => decodeRecordBody(Buffer.concat([encoded, Buffer.of(0)]))).toThrow(RecordBodyInvalidError)
    }),
  )
})

test('text is UTF-8, and an absent header list is an empty one', () => {
  const encoded = encodeRecordBody({ key: 'clé', value: null, headers: { ce_type: 'UserCreated' } })
  expect(encoded.toString('hex')).toBe(
    `08${Buffer.from('clé').toString('hex')}0102${'0e'}${Buffer.from('ce_type').toString('hex')}16${Buffer.from('UserCreated').toString('hex')}`,
  )
  expect(encodeRecordBody({ key: null, value: '' }).toString('hex')).toBe('010000')
})

test('a header may have any name', () => {
  const headers = Object.fromEntries([['__proto__', Buffer.from('x')]])
  expect(Object.keys(decodeRecordBody(encodeRecordBody({ key: null, value: null, headers })).headers)).toEqual([
    '__proto__',
  ])
})

test('varints of every size come back, in the size foretold', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: -(2 ** 51), max: 2 ** 51 }), (int, long) => {
      const block = Buffer.alloc(20)
      expect(writeVarint(block, 0, int)).toBe(varintSize(int))
      expect(readVarint({ bytes: block, at: 0 })).toBe(int)
      expect(writeVarlong(block, 0, long)).toBe(varlongSize(long))
      expect(readVarlong({ bytes: block, at: 0 })).toBe(long)
    }),
  )
})
