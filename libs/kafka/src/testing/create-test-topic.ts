import { randomUUID } from 'node:crypto'
import type { KafkaClient } from '../client.js'

export interface TestTopicOptions {
  /** @default 1 */
  readonly partitions?: number
  /** @default 1 */
  readonly replicationFactor?: number
  readonly config?: Readonly<Record<string, string>>
  /** Readable start of the name. @default 'test' */
  readonly prefix?: string
}

/** Creates a topic with a name nobody else uses and answers the name. Keeps records of any age, unless told otherwise. */
export async function createTestTopic(
  client: KafkaClient,
  { partitions = 1, replicationFactor = 1, config = {}, prefix = 'test' }: TestTopicOptions = {},
): Promise<string> {
  const name = `${prefix}.${randomUUID()}`
  await client.applyTopics([{ name, partitions, replicationFactor, config: { 'retention.ms': '-1', ...config } }])
  return name
}
