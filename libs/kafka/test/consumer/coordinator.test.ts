import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type KafkaCluster, startKafka } from '@rollcall/dev'
import { nameGroupFailure } from '../../src/consumer/name-group-failure.js'
import type { Broker } from '../../src/kafkajs/internals.js'
import { createTestTopic } from '../../src/testing/create-test-topic.js'
import { testClient } from '../test-client.js'

const dataDir = mkdtempSync(join(tmpdir(), 'rollcall-coordinator-'))
let kafka: KafkaCluster | undefined

afterAll(async () => {
  await kafka?.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

test('the first groups of a fresh broker are joined without a warning', async () => {
  kafka = await startKafka({ dataDir })
  const { client, log } = testClient({}, kafka.bootstrapServers)
  const topic = await createTestTopic(client)
  const consumers = Array.from({ length: 8 }, (_, number) =>
    client.consumer({
      groupId: `${topic}.${number}`,
      topic,
      assigned: async () => new Map(),
      batch: async () => undefined,
    }),
  )
  await Promise.all(consumers.map((consumer) => consumer.start()))
  expect(log.lines().filter(({ level }) => level === 'warn' || level === 'error')).toEqual([])
  await Promise.all(consumers.map((consumer) => consumer.close()))
  await client.close()
})

describe('a group whose coordinator does not serve it yet', () => {
  const hidden = Object.assign(new Error('m'), { name: 'KafkaJSGroupCoordinatorNotFound' })
  const named = async (error: Error, asked: () => Promise<unknown>) => {
    const findBroker = async () => ({ findGroupCoordinator: asked }) as unknown as Broker
    return nameGroupFailure(error, { getNodeIds: () => ['1'], findBroker }, 'greeters', 'greetings')
  }
  const refusal = (type: string) => Object.assign(new Error('m'), { name: 'KafkaJSProtocolError', type })
  const never = () => Promise.reject(new Error('not to be asked'))

  test.each(['GROUP_LOAD_IN_PROGRESS', 'GROUP_COORDINATOR_NOT_AVAILABLE', 'NOT_COORDINATOR_FOR_GROUP'])(
    '%s is not called unreachable, whether it is told or hidden',
    async (protocolCode) => {
      const expected = {
        code: 'ERR_KAFKA_COORDINATOR_NOT_READY',
        retryable: true,
        facts: { topic: 'greetings', groupId: 'greeters', protocolCode },
      }
      expect(await named(refusal(protocolCode), never)).toMatchObject(expected)
      expect(await named(hidden, () => Promise.reject(refusal(protocolCode)))).toMatchObject(expected)
    },
  )

  test('one that is found when asked for by hand was only not ready', async () => {
    expect(await named(hidden, async () => ({}))).toMatchObject({ code: 'ERR_KAFKA_COORDINATOR_NOT_READY' })
  })

  test('brokers that do not answer are unreachable', async () => {
    const closed = Object.assign(new Error('m'), { name: 'KafkaJSConnectionClosedError' })
    expect(await named(hidden, () => Promise.reject(closed))).toMatchObject({ code: 'ERR_KAFKA_UNREACHABLE' })
  })
})
