import avsc from 'avsc'
import fc from 'fast-check'
import { avroType } from '../../src/codec/avro-type.js'
import { WRITER_SCHEMA_LIMITS, writerType } from '../../src/codec/writer-type.js'

const record = (name: string, ...types: unknown[]) => ({
  type: 'record',
  name,
  fields: types.map((type, index) => ({ name: `f${index}`, type })),
})
const array = (items: unknown) => ({ type: 'array', items })
const refusal = (schema: unknown) => {
  try {
    writerType(typeof schema === 'string' ? schema : JSON.stringify(schema))
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

/** 2 ** levels values in a schema of `levels` lines. */
function laughs(levels: number, leaf: unknown) {
  let schema: unknown = record('L0', leaf)
  for (let level = 1; level <= levels; level++) schema = record(`L${level}`, schema, `L${level - 1}`)
  return schema
}

function nested(levels: number) {
  let schema: unknown = 'int'
  for (let level = 0; level < levels; level++) schema = array(schema)
  return record('Deep', schema)
}

test.each([
  ['items that take no bytes', record('R', array('null')), 'takes no bytes'],
  ['items that are records of nothing', record('R', array(record('Empty'))), 'has no fields'],
  ['items that are fixed at no bytes', record('R', array({ type: 'fixed', name: 'F', size: 0 })), 'takes no bytes'],
  ['a null of its own', record('R', 'int', { type: 'null' }), 'takes no bytes'],
  ['a record in itself', record('R', ['null', 'R']), 'R refers to itself'],
  ['a record in itself, by its full name', { ...record('R', ['null', 'a.b.R']), namespace: 'a.b' }, 'refers to itself'],
  ['a record in itself, by its last name', { ...record('a.b.R', array('R')) }, 'refers to itself'],
  ['33 levels of arrays', nested(33), 'deeper than 32'],
  ['20,000 levels of arrays', `${'{"type":"array","items":'.repeat(20_000)}"int"${'}'.repeat(20_000)}`, 'too deep'],
  ['a record of 2 ** 20 numbers in 20 lines', laughs(20, 'int'), 'more than 10000 types'],
  ['a map', record('R', { type: 'map', values: 'int' }), 'maps are not read'],
  ['a type that is nowhere', record('R', 'Nowhere'), 'undefined type'],
  ['no JSON', '{"type":', 'not JSON'],
])('a schema with %s is refused', (_what, schema, reason) => {
  expect(refusal(schema)).toContain(reason)
})

test('a schema as ours is taken: unions with null, arrays of records, one type in many places, logical types', () => {
  const email = record('Email', 'string', ['null', 'string'])
  const time = { type: 'long', logicalType: 'timestamp-millis' }
  expect(
    refusal(record('User', ['null', 'string'], array(email), ['null', 'Email'], time, ['null', time])),
  ).toBeUndefined()
})

/** Calls of the reading functions: the work, whatever the machine. */
async function countedReads(work: () => void): Promise<number> {
  let reads = 0
  const proto = tapPrototype()
  const names = Object.keys(proto).filter((name) => /^(read|skip)/.test(name))
  const originals = names.map((name) => proto[name])
  for (const [index, name] of names.entries()) {
    const original = originals[index] as (...args: unknown[]) => unknown
    proto[name] = function (this: unknown, ...args: unknown[]) {
      reads++
      return original.apply(this, args)
    }
  }
  try {
    work()
  } finally {
    for (const [index, name] of names.entries()) proto[name] = originals[index]
  }
  return reads
}

function tapPrototype(): Record<string, unknown> {
  let found: Record<string, unknown> = {}
  class Spy extends avsc.types.LogicalType {
    _read(tap: object): number {
      found = Object.getPrototypeOf(tap)
      return 0
    }
  }
  const logicalTypes = { spy: Spy } as unknown as Record<string, new () => avsc.types.LogicalType>
  avsc.Type.forSchema({ type: 'int', logicalType: 'spy' } as avsc.Schema, { logicalTypes }).fromBuffer(
    Buffer.from([0]),
    undefined,
    true,
  )
  return found
}

// Types as an enemy would write them, and bytes as an enemy would write those: claims of every size, negative ones too.
const { type: anyType } = fc.letrec<{ type: unknown }>((tie) => ({
  type: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom('int', 'string', 'bytes', 'boolean', 'double', 'int', 'string', 'null'),
    tie('type').map(array),
    fc.array(tie('type'), { minLength: 1, maxLength: 3 }).map((types) => record(`T${nextName++}`, ...types)),
    tie('type').map((type) => ['null', type]),
  ),
}))
let nextName = 0
const claim = fc.oneof(
  fc.constantFrom(
    '8080808010',
    'ffffffff0f02',
    'feffffffffffffff7f',
    '01',
    '02',
    '03',
    '00',
    '7e',
    'fe01',
    '80808080808001',
  ),
  fc.constantFrom('02', '04', '06', '0a', '14', '28', '50'),
  fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes).toString('hex')),
)
const anyBytes = fc
  .array(claim, { minLength: 5, maxLength: 300, size: 'max' })
  .map((claims) => Buffer.from(claims.join(''), 'hex'))

test('whatever a schema allows and bytes claim, reading does work in proportion to the bytes', async () => {
  const worst: number[] = []
  await fc.assert(
    fc.asyncProperty(anyType, anyBytes, async (type, bytes) => {
      const schema = record('Reader', type)
      if (refusal(schema) !== undefined) return
      const writer = writerType(JSON.stringify(schema))
      const skipping = avroType({ ...record('Reader'), fields: [{ name: 'other', type: 'int', default: 0 }] })
      for (const read of [
        () => writer.decode(bytes, 0),
        () => skipping.decode(bytes, 0, skipping.createResolver(writer)),
      ]) {
        const reads = await countedReads(() => {
          try {
            read()
          } catch {}
        })
        worst.push(reads)
        // A value of a byte may take a read at each level above it: the length of its array, the branch of its union.
        expect(reads).toBeLessThanOrEqual(WRITER_SCHEMA_LIMITS.depth * (bytes.length + 1) + 1_000)
      }
    }),
    { numRuns: 2_000, seed: 20_261_124 },
  )
  expect(Math.max(...worst)).toBeGreaterThan(100)
})

test('the same bytes against a schema that is refused would have cost without bound', async () => {
  const bytes = Buffer.from([...Array(400).fill(126), ...Array(63).fill(0)])
  const unchecked = avroType(record('R', array('null')))
  const items = (unchecked.decode(bytes, 0).value as { f0: unknown[] }).f0.length
  expect(items).toBeGreaterThan(20_000)
  expect(refusal(record('R', array('null')))).toBeDefined()
})

test('a block of many items ends where the bytes end, however many it claims and however long one item is', async () => {
  const wide = writerType(JSON.stringify(record('R', array(record('Wide', ...Array(500).fill('int'))))))
  const bytes = Buffer.concat([Buffer.from('a01f', 'hex'), Buffer.alloc(2_000)])
  const reads = await countedReads(() => expect(() => wide.fromBuffer(bytes)).toThrow('cut short'))
  expect(reads).toBeLessThan(3_000)
})
