import { z } from 'zod'

/** A topic as data: what `infra/kafka/topics.json` holds. Settings not named are the broker's business. */
export const topicSpec = z.strictObject({
  name: z.string().regex(/^[a-zA-Z0-9._-]{1,249}$/, 'a Kafka topic name has only letters, digits, ".", "_" and "-"'),
  partitions: z.int().min(1),
  replicationFactor: z.int().min(1).max(32_767).default(1),
  /** Topic settings by their Kafka names, all values as text. */
  config: z.record(z.string(), z.string()).default({}),
})

export type TopicSpec = z.output<typeof topicSpec>

/** Reads the contents of a topics file. @throws TypeError naming every problem */
export function parseTopicSpecs(json: unknown): TopicSpec[] {
  const parsed = z.array(topicSpec).safeParse(json)
  if (parsed.success) return parsed.data
  throw new TypeError(`The topics file is wrong:\n${z.prettifyError(parsed.error)}`)
}
