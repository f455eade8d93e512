import { readFileSync } from 'node:fs'
import { loadConfig } from '@rollcall/config'
import { testEndpoints } from '@rollcall/dev'
import { createMetrics } from '@rollcall/observability'
import { silentLogger } from '@rollcall/observability/testing'
import { z } from 'zod'
import * as errors from '../src/errors/kafka-errors.js'
import { createKafka, encodeRecordBody, kafkaFields, partitionOf, type RecordBatch } from '../src/index.js'
import { declareMetrics } from '../src/metrics.js'
import { until } from './test-client.js'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

test('the example of the README works', async () => {
  const config = loadConfig(z.object(kafkaFields), { KAFKA_BROKERS: testEndpoints().kafka })
  const kafka = createKafka(config, { logger: silentLogger, metrics: createMetrics('test') })
  const topic = `greetings.${Date.now()}`
  await kafka.applyTopics([{ name: topic, partitions: 3, replicationFactor: 1, config: {} }])

  const producer = kafka.producer()
  const body = encodeRecordBody({ key: 'ada', value: 'hello', headers: { ce_type: 'Greeted' } })
  const partition = partitionOf(Buffer.from('ada'), await producer.partitionCount(topic))
  await producer.send(topic, [{ partition, body, timestampMs: Date.now() }])

  const batches: RecordBatch[] = []
  const consumer = kafka.consumer({
    groupId: topic,
    topic,
    assigned: async () => new Map(),
    batch: async (batch) => void batches.push(batch),
  })
  await consumer.start()
  await until(() => batches.length > 0)
  expect(batches[0]).toMatchObject({ partition, nextOffset: 1, highWatermark: 1 })
  expect(batches[0]?.records[0]?.headers.ce_type?.toString()).toBe('Greeted')
  await consumer.close()
  await producer.close()
  await kafka.close()
})

test('the README names every error code and every metric, and no other', async () => {
  const source = readFileSync(new URL('../src/errors/kafka-errors.ts', import.meta.url), 'utf8')
  const codes = new Set(source.match(/'ERR_KAFKA_[A-Z_]+'/g)?.map((code) => code.slice(1, -1)))
  expect(new Set(readme.match(/ERR_KAFKA_[A-Z_]+/g))).toEqual(codes)
  expect(codes.size).toBe(Object.keys(errors).length)

  const metrics = createMetrics('test')
  declareMetrics(metrics)
  const declared = (await metrics.text()).match(/(?<=# TYPE )rollcall_kafka_\w+/g)
  expect(new Set(readme.match(/rollcall_kafka_\w+/g))).toEqual(new Set(declared))
})

test('a file that cannot be read is a problem of its variable', () => {
  const env = {
    KAFKA_BROKERS: 'a:1, b:2',
    KAFKA_SSL: 'yes',
    KAFKA_SSL_CA: '/nowhere/ca.pem',
    KAFKA_SASL_MECHANISM: 'magic',
  }
  expect(() => loadConfig(z.object(kafkaFields), env)).toThrow(
    /KAFKA_SSL=[\s\S]*KAFKA_SSL_CA=.*ENOENT[\s\S]*KAFKA_SASL_MECHANISM=/,
  )
})
