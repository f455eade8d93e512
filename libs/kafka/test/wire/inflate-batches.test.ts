import { createRequire } from 'node:module'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { FetchedBatch } from '../../src/kafkajs/internals.js'
import { encodeRecordBody } from '../../src/record-body.js'
import { nextOffsetAfter, toRecords } from '../../src/stock-record.js'
import { decodeFetchResponse } from '../../src/wire/fetch-response.js'
import { INFLATE_LIMITS, inflateBatches } from '../../src/wire/inflate-batches.js'

const require = createRequire(import.meta.url)
const Encoder = require('kafkajs/src/protocol/encoder')

const GZIP = 1
const record = (value: Buffer | string, offsetDelta = 0) => {
  const body = encodeRecordBody({ key: 'k', value: Buffer.from(value) })
  return Buffer.concat([varint(3 + body.length - 0), Buffer.from([0, 0, offsetDelta << 1]), body])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  for (let rest = value * 2; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest])
    bytes.push((rest % 128) | 128)
  }
}

/** A record batch as a producer of our own making would send it: it need not be true. */
function batch(
  baseOffset: number,
  packed: Buffer,
  { codec = 0, count = 1, lastDelta = count - 1 }: { codec?: number; count?: number; lastDelta?: number } = {},
): Buffer {
  const head = Buffer.alloc(61)
  head.writeBigInt64BE(BigInt(baseOffset), 0)
  head.writeInt32BE(49 + packed.length, 8)
  head[16] = 2
  head.writeInt16BE(codec, 21)
  head.writeInt32BE(lastDelta, 23)
  head.writeInt32BE(count, 57)
  return Buffer.concat([head, packed])
}

async function read(from: number, ...batches: readonly Buffer[]) {
  const set = Buffer.concat(batches)
  const head = new Encoder().writeInt32(0).writeInt16(0).writeInt32(0).writeInt32(1).writeString('t').writeInt32(1)
  head.writeInt32(0).writeInt16(0).writeInt64(0n).writeInt64(0n).writeInt64(0n).writeInt32(0).writeInt32(-1)
  head.writeInt32(set.length)
  const { responses } = await decodeFetchResponse(Buffer.concat([head.buffer, set]))
  const [answer] = responses[0]?.partitions ?? []
  if (answer === undefined) throw new Error('no partition')
  const fetched = new FetchedBatch('t', String(from), answer)
  return { records: toRecords(fetched.messages), next: nextOffsetAfter(fetched) }
}

const bomb = (megabytes: number) => gzipSync(record(Buffer.alloc(megabytes * 1_048_576)))

test('a batch that unpacks to more than its bytes justify becomes one record that says so, at its last offset', async () => {
  const { records, next } = await read(7, batch(5, bomb(15), { codec: GZIP, count: 1, lastDelta: 9 }))
  expect(records).toMatchObject([
    { offset: 14, key: null, value: null, unreadable: { code: 'ERR_KAFKA_BATCH_UNREADABLE' } },
  ])
  expect(records[0]?.unreadable?.message).toContain('offsets 5 to 14')
  expect(next).toBe(15)
})

test('what is unpacked of a bomb never exceeds the bound', async () => {
  const packed = bomb(200)
  const before = process.memoryUsage().arrayBuffers
  const { refused, set } = await inflateBatches(batch(0, packed, { codec: GZIP }), { left: 1e9 })
  expect(refused?.reason).toMatch(/unpack to more than \d+$/)
  expect(set).toHaveLength(0)
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 * INFLATE_LIMITS.batchBytes)
})

test('what is before a bomb is handed out first, and what is after it later', async () => {
  const batches = [
    batch(0, record('before')),
    batch(1, bomb(15), { codec: GZIP }),
    batch(2, gzipSync(record('after')), { codec: GZIP }),
  ] as const
  const first = await read(0, ...batches)
  expect([first.records.map(({ value }) => value?.toString()), first.next]).toEqual([['before'], 1])
  const second = await read(1, ...batches.slice(1))
  expect([second.records.map(({ unreadable }) => unreadable?.code), second.next]).toEqual([
    ['ERR_KAFKA_BATCH_UNREADABLE'],
    2,
  ])
  const third = await read(2, ...batches.slice(2))
  expect([third.records.map(({ value }) => value?.toString()), third.next]).toEqual([['after'], 3])
})

test.each([
  ['snappy', 2],
  ['lz4', 3],
  ['zstd', 4],
])('a batch compressed with %s says which setting of the topic keeps it readable', async (name, codec) => {
  const { records } = await read(0, batch(0, Buffer.from('packed'), { codec }))
  expect(records[0]?.unreadable?.message).toContain(name)
  expect(records[0]?.unreadable?.message).toContain('compression.type=uncompressed')
})

test.each([
  ['bytes that are no gzip', Buffer.from('not packed'), GZIP, 1],
  ['a cut-off gzip', gzipSync(record('x')).subarray(0, 20), GZIP, 1],
  ['more records than there are', record('x'), 0, 1_000_000],
  ['the same in gzip', gzipSync(record('x')), GZIP, 1_000_000],
  ['a record longer than the batch', varint(1_000_000), 0, 1],
  [
    'a key longer than its record',
    Buffer.concat([varint(10), Buffer.from([0, 0, 0]), varint(100_000), Buffer.alloc(6)]),
    0,
    1,
  ],
])('a batch with %s becomes one record that says so', async (_what, packed, codec, count) => {
  const { records, next } = await read(0, batch(0, packed, { codec, count, lastDelta: 3 }), batch(4, record('after')))
  expect(records.map(({ unreadable }) => unreadable?.code)).toEqual(['ERR_KAFKA_BATCH_UNREADABLE'])
  expect(next).toBe(4)
})

test('one fetch unpacks so much and no more; the rest comes with later ones', async () => {
  const half = gzipSync(Buffer.concat(Array.from({ length: 20 }, (_, i) => record(pseudoText(50_000, i), i))))
  const batches = [0, 20, 40].map((offset) => batch(offset, half, { codec: GZIP, count: 20 }))
  const { set } = await inflateBatches(Buffer.concat(batches), { left: 1_500_000 })
  expect(set.length).toBeGreaterThan(1_900_000)
  expect(set.length).toBeLessThan(2_100_000)
})

/** Text that gzip packs about 3 to 1. */
function pseudoText(length: number, seed: number): string {
  let state = seed + 1
  let text = ''
  while (text.length < length) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    text += (state % 1_000).toString()
  }
  return text
}

test('no bytes make it throw, hang or hand out a record that is not whole', async () => {
  const good = [batch(0, gzipSync(record('one')), { codec: GZIP }), batch(1, record('two')), batch(2, record('three'))]
  const set = Buffer.concat(good)
  await fc.assert(
    fc.asyncProperty(fc.nat(set.length - 1), fc.integer({ min: 0, max: 255 }), async (at, byte) => {
      // Offset, length and format of a batch are the broker's own.
      const inBatch = good.reduce((left, one) => (left >= one.length ? left - one.length : left), at)
      if (inBatch < 12 || inBatch === 16 || (inBatch >= 21 && inBatch < 27)) return
      const bad = Buffer.from(set)
      bad[at] = byte
      const { records, next } = await read(0, bad)
      expect(next).toBeGreaterThan(0)
      for (const one of records) if (one.unreadable === undefined) void one.value?.length
    }),
    { numRuns: 500, seed: 20_261_124 },
  )
})
