import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findFreePort, type KafkaCluster, startKafka } from '@rollcall/dev'
import { errorCode } from '@rollcall/errors'
import { createMetrics } from '@rollcall/observability'
import { logSink } from '@rollcall/observability/testing'
import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, Kafka, logLevel, ResourcePatternTypes } from 'kafkajs'
import type { KafkaClient } from '../../src/client.js'
import type { KafkaConfig } from '../../src/config.js'
import { createKafka } from '../../src/create-kafka.js'
import { toKafkaError } from '../../src/errors/to-kafka-error.js'
import { record, until } from '../test-client.js'

const dataDir = mkdtempSync(join(tmpdir(), 'rollcall-refusals-'))
const open: KafkaClient[] = []
let cluster: KafkaCluster
let saslAddress: string

beforeAll(async () => {
  const [port, controllerPort, saslPort] = (await Promise.all([findFreePort(), findFreePort(), findFreePort()])) as [
    number,
    number,
    number,
  ]
  saslAddress = `127.0.0.1:${saslPort}`
  const plain = 'org.apache.kafka.common.security.plain.PlainLoginModule required'
  const users = ['registry', 'reports', 'nobody'].map((user) => `user_${user}="${user}-secret"`).join(' ')
  const listeners = `PLAINTEXT://127.0.0.1:${port},CLIENT://${saslAddress}`
  cluster = await startKafka({
    dataDir,
    ports: [port],
    controllerPorts: [controllerPort],
    settings: {
      listeners: `${listeners},CONTROLLER://127.0.0.1:${controllerPort}`,
      'advertised.listeners': listeners,
      'inter.broker.listener.name': 'PLAINTEXT',
      'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,CLIENT:SASL_PLAINTEXT',
      'sasl.enabled.mechanisms': 'PLAIN',
      'listener.name.client.plain.sasl.jaas.config': `${plain} ${users};`,
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS',
    },
  })
  const admin = new Kafka({ brokers: [cluster.bootstrapServers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic: 'users' }, { topic: 'other' }], waitForLeaders: false })
  const allow = (
    principal: string,
    resourceType: AclResourceTypes,
    resourceName: string,
    operation: AclOperationTypes,
  ) => ({
    principal: `User:${principal}`,
    resourceType,
    resourceName,
    operation,
    host: '*',
    permissionType: AclPermissionTypes.ALLOW,
    resourcePatternType: ResourcePatternTypes.LITERAL,
  })
  await admin.createAcls({
    acl: [
      allow('registry', AclResourceTypes.TOPIC, 'users', AclOperationTypes.WRITE),
      allow('reports', AclResourceTypes.TOPIC, 'users', AclOperationTypes.READ),
      allow('reports', AclResourceTypes.GROUP, 'reports.people', AclOperationTypes.READ),
    ],
  })
  await admin.disconnect()
  const registry = as('registry').producer()
  await until(() =>
    registry.send('users', [record(0, 'a')]).then(
      () => true,
      () => false,
    ),
  )
  await registry.close()
})
afterAll(async () => {
  await Promise.all(open.map((client) => client.close()))
  await cluster?.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

function as(user: string, password = `${user}-secret`, config: Partial<KafkaConfig> = {}): KafkaClient {
  const client = createKafka(
    {
      KAFKA_BROKERS: [saslAddress],
      KAFKA_SASL_MECHANISM: 'plain',
      KAFKA_SASL_USERNAME: user,
      KAFKA_SASL_PASSWORD: password,
      ...config,
    },
    { logger: logSink().logger, metrics: createMetrics('test') },
  )
  open.push(client)
  return client
}

const consume = (client: KafkaClient, groupId: string, topic: string) =>
  client.consumer({ groupId, topic, assigned: async () => new Map(), batch: async () => undefined })

test('a wrong password and a mechanism the broker lacks are failures of authentication', async () => {
  await expect(as('registry', 'wrong').ping()).rejects.toMatchObject({
    code: 'ERR_KAFKA_AUTHENTICATION_FAILED',
    retryable: false,
  })
  await expect(
    as('registry', 'registry-secret', { KAFKA_SASL_MECHANISM: 'scram-sha-256' }).ping(),
  ).rejects.toMatchObject({
    code: 'ERR_KAFKA_AUTHENTICATION_FAILED',
  })
})

test('no credentials where some are asked for is not mistaken for success', async () => {
  const client = createKafka(
    { KAFKA_BROKERS: [saslAddress] },
    { logger: logSink().logger, metrics: createMetrics('test') },
  )
  open.push(client)
  await expect(client.ping()).rejects.toMatchObject({ code: 'ERR_KAFKA_UNREACHABLE' })
})

test('writing without leave is refused with the topic, quickly', async () => {
  const startedAt = Date.now()
  const registry = as('registry').producer()
  await expect(registry.send('other', [record(0, 'a')])).rejects.toMatchObject({
    code: 'ERR_KAFKA_AUTHORIZATION_DENIED',
    retryable: false,
    facts: { topic: 'other', protocolCode: 'TOPIC_AUTHORIZATION_FAILED' },
  })
  await registry.send('users', [record(0, 'b')])
  await registry.close()
  const reports = as('reports').producer()
  await expect(reports.send('users', [record(0, 'a')])).rejects.toMatchObject({
    code: 'ERR_KAFKA_AUTHORIZATION_DENIED',
  })
  await reports.close()
  expect(Date.now() - startedAt).toBeLessThan(4_000)
})

test('a foreign group is refused by its true name, which kafkajs hides', async () => {
  const consumer = consume(as('reports'), 'somebody.else', 'users')
  await expect(consumer.start()).rejects.toMatchObject({
    code: 'ERR_KAFKA_AUTHORIZATION_DENIED',
    facts: { groupId: 'somebody.else', protocolCode: 'GROUP_AUTHORIZATION_FAILED' },
  })
  await consumer.close()
})

test('reading without leave is refused, by consumers and bounded reads', async () => {
  const client = as('nobody')
  const consumer = consume(client, 'reports.people', 'users')
  await expect(consumer.start()).rejects.toMatchObject({
    code: 'ERR_KAFKA_AUTHORIZATION_DENIED',
    facts: { topic: 'users' },
  })
  await consumer.close()
  await expect(client.readTopic({ topic: 'users', onBatch: () => undefined })).rejects.toMatchObject({
    code: 'ERR_KAFKA_AUTHORIZATION_DENIED',
  })
  await expect(
    client.applyTopics([{ name: 'new', partitions: 1, replicationFactor: 1, config: {} }]),
  ).rejects.toMatchObject({
    code: 'ERR_KAFKA_AUTHORIZATION_DENIED',
  })
})

test('what is allowed works with credentials', async () => {
  const client = as('reports')
  const { records } = await client.readTopic({ topic: 'users', onBatch: () => undefined })
  expect(records).toBeGreaterThan(0)
  const consumer = consume(client, 'reports.people', 'users')
  await consumer.start()
  expect(consumer.assignment()).toEqual([0])
  await consumer.close()
})

test('variables that belong together are asked for together', () => {
  const tools = { logger: logSink().logger, metrics: createMetrics('test') }
  expect(() => createKafka({ KAFKA_BROKERS: ['a:1'], KAFKA_SASL_USERNAME: 'a' }, tools)).toThrow(/belong together/)
  expect(() => createKafka({ KAFKA_BROKERS: ['a:1'], KAFKA_SSL: true, KAFKA_SSL_CERT: 'pem' }, tools)).toThrow(
    /belong together/,
  )
})

// The shapes in which kafkajs 2.2.4 throws them.
test.each([
  [
    'KafkaJSNumberOfRetriesExceeded',
    { cause: { name: 'KafkaJSProtocolError', message: 'm', type: 'UNKNOWN_TOPIC_OR_PARTITION' } },
    'ERR_KAFKA_TOPIC_MISSING',
  ],
  ['KafkaJSNonRetriableError', { type: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED' }, 'ERR_KAFKA_AUTHORIZATION_DENIED'],
  [
    'KafkaJSAggregateError',
    { errors: [{ name: 'KafkaJSCreateTopicError', message: 'm', type: 'TOPIC_AUTHORIZATION_FAILED' }] },
    'ERR_KAFKA_AUTHORIZATION_DENIED',
  ],
  [
    'KafkaJSNumberOfRetriesExceeded',
    { cause: { name: 'KafkaJSConnectionError', message: 'm', code: 'ECONNREFUSED' } },
    'ERR_KAFKA_UNREACHABLE',
  ],
  ['KafkaJSProtocolError', { type: 'OUT_OF_ORDER_SEQUENCE_NUMBER' }, 'ERR_KAFKA_PRODUCER_FENCED'],
  ['KafkaJSProtocolError', { type: 'INVALID_RECORD', retriable: false }, 'ERR_KAFKA_REQUEST_FAILED'],
])('%s with %j is %s', (name, shape, code) => {
  expect(
    errorCode(toKafkaError(Object.assign(new Error('m'), { name, ...shape }), { doing: 'testing', topic: 't' })),
  ).toBe(code)
})
