import { createRequire } from 'node:module'
import fc from 'fast-check'
import type { ProduceArguments } from '../../src/kafkajs/internals.js'
import { decodeRecordBody, encodeRecordBody } from '../../src/record-body.js'
import { installFastWire } from '../../src/wire/fast-wire.js'
import { encodeProduceRequest } from '../../src/wire/produce-request.js'

const require = createRequire(import.meta.url)
const stockRequest = require('kafkajs/src/protocol/requests/produce/v7/request') as (args: ProduceArguments) => {
  encode(): Promise<{ buffer: Buffer }>
}

const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array))
// kafkajs leaves out the value length of a null header value and sorts times as text, so times have equal length here.
const record = fc.record({
  body: fc
    .record({
      key: fc.option(bytes),
      value: fc.option(bytes),
      headers: fc.dictionary(fc.string({ minLength: 1, maxLength: 20 }), bytes, { maxKeys: 5, noNullPrototype: true }),
    })
    .map(encodeRecordBody),
  timestampMs: fc.integer({ min: 1_000_000_000_000, max: 9_999_999_999_999 }),
})
const request = fc.record({
  topics: fc.array(
    fc.record({
      topic: fc.string({ minLength: 1, maxLength: 30, unit: 'grapheme-ascii' }),
      partitions: fc.array(
        fc.record({
          partition: fc.nat(200),
          firstSequence: fc.nat(2 ** 31 - 1),
          records: fc.array(record, { minLength: 1, maxLength: 40 }),
        }),
        { minLength: 1, maxLength: 4 },
      ),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  idempotent: fc.option(fc.record({ producerId: fc.bigInt(0n, 2n ** 40n).map(String), producerEpoch: fc.nat(30_000) })),
  transactionalId: fc.option(fc.string({ minLength: 1, maxLength: 20 })),
})

test('a request has the very bytes of the stock encoder', async () => {
  await fc.assert(
    fc.asyncProperty(request, async ({ topics, idempotent, transactionalId }) => {
      const base = { acks: -1, timeout: 30_000, compression: 0, transactionalId, ...(idempotent ?? {}) }
      const ours = encodeProduceRequest({
        ...base,
        topicData: topics.map(({ topic, partitions }) => ({
          topic,
          partitions: partitions.map(({ partition, firstSequence, records }) => ({
            partition,
            firstSequence,
            messages: records.map((one) => ({ partition, ...one })),
          })),
        })),
      })
      const stock = await stockRequest({
        ...base,
        topicData: topics.map(({ topic, partitions }) => ({
          topic,
          partitions: partitions.map(({ partition, firstSequence, records }) => ({
            partition,
            firstSequence,
            messages: records.map(({ body, timestampMs }) => ({
              ...decodeRecordBody(body),
              timestamp: String(timestampMs),
            })),
          })),
        })),
      }).encode()
      expect(ours.buffer.equals(stock.buffer)).toBe(true)
    }),
    { numRuns: 60 },
  )
})

test('another version of kafkajs keeps its own encoder and decoder', () => {
  expect(installFastWire('2.3.0-beta.3')).toEqual({
    isInstalled: false,
    reason: expect.stringContaining('2.3.0-beta.3'),
  })
  expect(installFastWire()).toEqual({ isInstalled: true })
})
