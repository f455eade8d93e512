import { readFileSync } from 'node:fs'
import { TopicMismatchError } from '../../src/errors/kafka-errors.js'
import { createTestTopic } from '../../src/testing/create-test-topic.js'
import { parseTopicSpecs, type TopicSpec } from '../../src/topics/topic-spec.js'
import { testClient } from '../test-client.js'

const { client } = testClient()
afterAll(() => client.close())

const spec = (name: string, more: Partial<TopicSpec> = {}): TopicSpec => ({
  name,
  partitions: 2,
  replicationFactor: 1,
  config: {},
  ...more,
})

test('the topics file is right: of the users nothing is deleted, the roll call is compacted', () => {
  const specs = parseTopicSpecs(
    JSON.parse(readFileSync(new URL('../../../../infra/kafka/topics.json', import.meta.url), 'utf8')),
  )
  expect(specs).toEqual([
    expect.objectContaining({
      name: 'users.lifecycle.v1',
      partitions: 12,
      config: expect.objectContaining({ 'cleanup.policy': 'delete', 'retention.ms': '-1' }),
    }),
    expect.objectContaining({
      name: 'rollcall.subscribers.v1',
      config: expect.objectContaining({ 'cleanup.policy': 'compact,delete' }),
    }),
  ])
})

test('a wrong topics file is refused with every problem', () => {
  expect(() => parseTopicSpecs([{ name: 'a b', partitions: 0 }])).toThrow(/name[\s\S]*partitions|partitions[\s\S]*name/)
  expect(() => parseTopicSpecs([{ name: 'a', partitions: 1, retention: 1 }])).toThrow(/retention/)
})

test('applying twice changes nothing, and verifying then finds nothing', async () => {
  const name = await createTestTopic(client, { partitions: 2, config: { 'cleanup.policy': 'compact,delete' } })
  const specs = [spec(name, { config: { 'cleanup.policy': 'delete,compact' } })]
  await client.applyTopics(specs)
  await client.verifyTopics(specs)
})

test('two that apply at once both succeed', async () => {
  const specs = [spec(`test.${Date.now()}.${Math.random()}`)]
  await Promise.all([client.applyTopics(specs), testClient().client.applyTopics(specs)])
  await client.verifyTopics(specs)
})

test('a missing topic is named', async () => {
  await expect(client.verifyTopics([spec('never-created')])).rejects.toMatchObject({
    code: 'ERR_KAFKA_TOPIC_MISSING',
    facts: { topic: 'never-created' },
  })
})

test('a wrong partition count and a wrong policy are refused, with what is, what should be and the mending command', async () => {
  const name = await createTestTopic(client, { partitions: 2, config: { 'retention.ms': '1000' } })
  const wanted = [spec(name, { partitions: 3, config: { 'cleanup.policy': 'compact', 'retention.ms': '-1' } })]
  const error = await client.applyTopics(wanted).catch((caught: unknown) => caught)
  expect(error).toBeInstanceOf(TopicMismatchError)
  const { differences, message } = error as TopicMismatchError
  expect(differences.map(({ what, is, shouldBe }) => [what, is, shouldBe])).toEqual([
    ['partitions', '2', '3'],
    ['cleanup.policy', 'delete', 'compact'],
    ['retention.ms', '1000', '-1'],
  ])
  expect(message).toContain(`Topic "${name}" has partitions 2, but should have 3`)
  expect(message).toContain(`--entity-name ${name} --add-config 'cleanup.policy=[compact]'`)
})

test('altering mends the settings named and keeps the others', async () => {
  const name = await createTestTopic(client, {
    partitions: 2,
    config: { 'retention.ms': '1000', 'segment.ms': '60000' },
  })
  await client.applyTopics([spec(name, { config: { 'retention.ms': '-1' } })], { alterConfig: true })
  await client.verifyTopics([spec(name, { config: { 'retention.ms': '-1', 'segment.ms': '60000' } })])
})
