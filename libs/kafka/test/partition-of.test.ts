import { randomBytes, randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { partitionOf } from '../src/partition-of.js'

const stockMurmur2 = createRequire(import.meta.url)('kafkajs/src/producer/partitioners/default/murmur2') as (
  key: Buffer,
) => number

test('20,000 random keys get the partition that the default partitioner gives them', () => {
  const keys = Array.from({ length: 20_000 }, (_, index) =>
    index % 2 === 0 ? Buffer.from(randomUUID()) : randomBytes(index % 67),
  )
  const differing = keys.filter((key) => partitionOf(key, 12) !== (stockMurmur2(key) & 0x7fffffff) % 12)
  expect(differing).toEqual([])
  expect(new Set(keys.map((key) => partitionOf(key, 12))).size).toBe(12)
})

test("known keys get the partition of Java's client", () => {
  // org.apache.kafka.common.utils.UtilsTest: murmur2("21") = -973932308, murmur2("foobar") = -790332482.
  expect(partitionOf(Buffer.from('21'), 1_000)).toBe((-973932308 & 0x7fffffff) % 1_000)
  expect(partitionOf(Buffer.from('foobar'), 1_000)).toBe((-790332482 & 0x7fffffff) % 1_000)
})
