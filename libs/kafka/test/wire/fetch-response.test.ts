import { createRequire } from 'node:module'
import fc from 'fast-check'
import { FetchedBatch, type FetchPartition, type FetchResponse } from '../../src/kafkajs/internals.js'
import { encodeRecordBody } from '../../src/record-body.js'
import { nextOffsetAfter, toRecords } from '../../src/stock-record.js'
import { decodeFetchResponse, FetchedRecords } from '../../src/wire/fetch-response.js'

const require = createRequire(import.meta.url)
const Encoder = require('kafkajs/src/protocol/encoder')
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0') as {
  RecordBatch(options: object): Promise<{ buffer: Buffer }>
}
const Record = require('kafkajs/src/protocol/recordBatch/record/v0') as (options: object) => object
const stock = require('kafkajs/src/protocol/requests/fetch/v11/response') as {
  decode(raw: Buffer): Promise<FetchResponse>
}

interface Given {
  readonly gap: number
  readonly records: readonly { key: Buffer | null; value: Buffer | null; headers: Record<string, Buffer> }[]
  readonly compression?: number
  readonly transactional?: boolean
}

const bytes = fc.uint8Array({ maxLength: 100 }).map((array) => Buffer.from(array))
const batch = fc.record({
  gap: fc.nat(5),
  records: fc.array(
    fc.record({
      key: fc.option(bytes),
      value: fc.option(bytes),
      headers: fc.dictionary(fc.string({ minLength: 1, maxLength: 10 }), bytes, { maxKeys: 4, noNullPrototype: true }),
    }),
    { minLength: 1, maxLength: 20 },
  ),
})
const plainBatches = fc.array(batch, { maxLength: 4 })

test('plain batches decode in place to what the stock decoder makes of them', async () => {
  await fc.assert(
    fc.asyncProperty(plainBatches, fc.nat(30), fc.nat(200), async (batches, fetchedFrom, cut) => {
      const { raw } = await responseOf(batches, cut)
      const { ours, theirs } = await decodeBoth(raw)
      expect(ours.messages).toBeInstanceOf(FetchedRecords)
      expectSameBatch(ours, theirs, fetchedFrom)
    }),
    { numRuns: 60 },
  )
})

test('compressed batches are unpacked and read in place; those of transactions go through the stock decoder', async () => {
  const records = [{ key: Buffer.from('k'), value: Buffer.from('v'), headers: { h: Buffer.from('1') } }]
  for (const special of [{ compression: 1 }, { transactional: true }, { compression: 1, transactional: true }]) {
    const { raw } = await responseOf(
      [
        { gap: 0, records },
        { gap: 2, records, ...special },
      ],
      0,
    )
    const { ours, theirs } = await decodeBoth(raw)
    if ('transactional' in special) expect(ours.messages).not.toBeInstanceOf(FetchedRecords)
    else expect(ours.messages).toBeInstanceOf(FetchedRecords)
    expectSameBatch(ours, theirs, 0)
  }
})

test('records of an aborted transaction are left out, and reading goes on after them', async () => {
  const records = [{ key: Buffer.from('k'), value: Buffer.from('aborted'), headers: {} }]
  const { raw } = await responseOf([{ gap: 0, records, transactional: true }], 0, [{ producerId: 7n, firstOffset: 0n }])
  const { ours } = await decodeBoth(raw)
  const fetched = new FetchedBatch('t', '0', ours)
  expect(toRecords(fetched.messages)).toEqual([])
  expect(nextOffsetAfter(fetched)).toBe(1)
})

test('the end of a batch counts, not its last record: compaction removes records from the end too', async () => {
  const { raw } = await responseOf(
    [{ gap: 0, records: [{ key: null, value: Buffer.from('v'), headers: {} }] }],
    0,
    [],
    41,
  )
  const { ours } = await decodeBoth(raw)
  expect(nextOffsetAfter(new FetchedBatch('t', '0', ours))).toBe(42)
})

test('a failed partition keeps its error code', async () => {
  const { raw } = await responseOf([], 0, [], undefined, 6)
  const { ours, theirs } = await decodeBoth(raw)
  expect(ours.errorCode).toBe(6)
  expect(theirs.errorCode).toBe(6)
})

test('headers are parsed when asked for, once', async () => {
  const { raw } = await responseOf(
    [{ gap: 0, records: [{ key: null, value: null, headers: { a: Buffer.from('1') } }] }],
    0,
  )
  const [record] = toRecords((await decodeBoth(raw)).ours.messages)
  expect(record?.headers).toBe(record?.headers)
  expect(record?.headers.a?.toString()).toBe('1')
})

async function decodeBoth(raw: Buffer): Promise<{ ours: FetchPartition; theirs: FetchPartition }> {
  const ours = await decodeFetchResponse(raw)
  const theirs = await stock.decode(raw)
  const [ourPartition, theirPartition] = [ours, theirs].map(({ responses }) => responses[0]?.partitions[0])
  const bare = ({ responses, ...rest }: FetchResponse) => ({
    ...rest,
    responses: responses.map(({ topicName, partitions }) => ({
      topicName,
      partitions: partitions.map(({ messages, ...one }) => ({ ...one, count: messages.length })),
    })),
  })
  expect(bare(ours)).toEqual(bare(theirs))
  return { ours: ourPartition as FetchPartition, theirs: theirPartition as FetchPartition }
}

function expectSameBatch(ours: FetchPartition, theirs: FetchPartition, fetchedFrom: number): void {
  const [ourBatch, theirBatch] = [ours, theirs].map((one) => new FetchedBatch('t', String(fetchedFrom), one)) as [
    FetchedBatchInstance,
    FetchedBatchInstance,
  ]
  const plain = (batch: FetchedBatchInstance) =>
    toRecords(batch.messages).map(({ offset, timestampMs, key, value, headers }) => ({
      offset,
      timestampMs,
      key,
      value,
      headers,
    }))
  expect(plain(ourBatch)).toEqual(plain(theirBatch))
  expect(nextOffsetAfter(ourBatch)).toBe(nextOffsetAfter(theirBatch))
}

type FetchedBatchInstance = InstanceType<typeof FetchedBatch>

/** A fetch response for one partition; `cut` bytes are missing at its end, as the byte limit of a fetch makes it. */
async function responseOf(
  batches: readonly Given[],
  cut: number,
  aborted: readonly { producerId: bigint; firstOffset: bigint }[] = [],
  lastOffsetDelta?: number,
  errorCode = 0,
): Promise<{ raw: Buffer }> {
  let offset = 0
  const encoded: Buffer[] = []
  for (const { gap, records, compression = 0, transactional = false } of batches) {
    offset += gap
    const { buffer } = await RecordBatch({
      compression,
      transactional,
      firstOffset: BigInt(offset),
      firstTimestamp: 1_700_000_000_000,
      maxTimestamp: 1_700_000_000_000 + records.length,
      producerId: 7n,
      lastOffsetDelta: lastOffsetDelta ?? records.length - 1,
      records: records.map((one, index) => Record({ ...one, offsetDelta: index, timestampDelta: index })),
    })
    encoded.push(buffer)
    offset += records.length
  }
  const whole = Buffer.concat(encoded)
  // Below 17 bytes the stock decoder reads the format byte past the end; ours does not, but there is nothing to compare.
  const left = whole.length - cut
  const set = whole.subarray(0, left < 17 ? 0 : left)
  const header = new Encoder()
    .writeInt32(0)
    .writeInt16(0)
    .writeInt32(0)
    .writeInt32(1)
    .writeString('t')
    .writeInt32(1)
    .writeInt32(3)
    .writeInt16(errorCode)
    .writeInt64(BigInt(offset))
    .writeInt64(BigInt(offset))
    .writeInt64(0n)
    .writeInt32(aborted.length)
  for (const { producerId, firstOffset } of aborted) header.writeInt64(producerId).writeInt64(firstOffset)
  header.writeInt32(-1).writeInt32(set.length)
  return { raw: Buffer.concat([header.buffer, set]) }
}

test('what encodeRecordBody makes is what a record in a fetch holds after its deltas', async () => {
  const given = { key: Buffer.from('key'), value: Buffer.from('value'), headers: { h: Buffer.from('x') } }
  const { raw } = await responseOf([{ gap: 0, records: [given] }], 0)
  expect(raw.subarray(-encodeRecordBody(given).length).equals(encodeRecordBody(given))).toBe(true)
})
