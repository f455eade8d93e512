import { headerOf } from '../src/header-of.js'
import type { KafkaRecord } from '../src/record.js'
import { encodeRecordBody } from '../src/record-body.js'
import { createTestTopic } from '../src/testing/index.js'
import { testClient } from './test-client.js'

test('one header is the same whether it is found alone or among all, and absent when it is not there', async () => {
  const { client } = testClient()
  const topic = await createTestTopic(client)
  const producer = client.producer()
  const headers = {
    ce_type: 'Made',
    ce_sequence: '42',
    'ce_sequence-x': 'no',
    empty: '',
    'content-type': 'application/avro',
  }
  const timestampMs = Date.now()
  await producer.send(topic, [
    { partition: 0, timestampMs, body: encodeRecordBody({ key: 'a', value: 'b', headers }) },
    { partition: 0, timestampMs, body: encodeRecordBody({ key: null, value: null, headers: {} }) },
  ])
  const records: KafkaRecord[] = []
  await client.readTopic({ topic, onBatch: (slice) => void records.push(...slice.records) })
  const [full, bare] = records
  if (full === undefined || bare === undefined) throw new Error('two records were sent')
  const names = [...Object.keys(headers), 'ce_seq', 'ce_sequence-', 'nothing']
  const alone = names.map((name) => headerOf(full, name)?.toString())
  expect(alone).toEqual(['Made', '42', 'no', '', 'application/avro', undefined, undefined, undefined])
  expect(names.map((name) => full.headers[name]?.toString())).toEqual(alone)
  expect(names.map((name) => headerOf(full, name)?.toString())).toEqual(alone)
  expect(headerOf(bare, 'ce_type')).toBeUndefined()
  expect(headerOf({ ...full, headers: { ce_type: Buffer.from('plain') } } as KafkaRecord, 'ce_type')?.toString()).toBe(
    'plain',
  )
  await producer.close()
  await client.close()
})
