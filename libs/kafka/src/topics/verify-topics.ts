import type { Logger } from '@rollcall/observability'
import type { Admin, ConfigEntries, Kafka } from 'kafkajs'
import { type TopicDifference, TopicMismatchError, TopicMissingError } from '../errors/kafka-errors.js'
import { toKafkaError } from '../errors/to-kafka-error.js'
import type { TopicSpec } from './topic-spec.js'

export interface TopicTools {
  readonly kafka: Kafka
  readonly logger: Logger
}

/** Checks that every topic exists as its spec says. @throws TopicMissingError, TopicMismatchError with all differences */
export function verifyTopics(specs: readonly TopicSpec[], tools: TopicTools): Promise<void> {
  return withAdmin(tools, 'verifying topics', async (admin) => {
    const existing = new Set(await admin.listTopics())
    const missing = specs.find(({ name }) => !existing.has(name))
    if (missing !== undefined) throw new TopicMissingError(missing.name)
    const differences = await differencesOf(admin, specs)
    if (differences.length > 0) throw new TopicMismatchError(differences)
  })
}

/** Runs one act on an administrative connection of its own and names its failure. */
export async function withAdmin<T>(
  { kafka }: TopicTools,
  doing: string,
  act: (admin: Admin) => Promise<T>,
): Promise<T> {
  const admin = kafka.admin()
  try {
    await admin.connect()
    return await act(admin)
  } catch (error) {
    throw toKafkaError(error, { doing })
  } finally {
    await admin.disconnect().catch(() => undefined)
  }
}

/** Every way in which existing topics differ from their specs. */
export async function differencesOf(admin: Admin, specs: readonly TopicSpec[]): Promise<TopicDifference[]> {
  if (specs.length === 0) return []
  const { topics } = await admin.fetchTopicMetadata({ topics: specs.map(({ name }) => name) })
  const settings = await settingsOf(
    admin,
    specs.map(({ name }) => name),
  )
  return specs.flatMap((spec) => {
    const partitions = topics.find(({ name }) => name === spec.name)?.partitions ?? []
    return [
      ...partitionDifference(spec, partitions.length),
      ...replicationDifference(spec, partitions[0]?.replicas.length ?? 0),
      ...settingDifferences(spec, settings.get(spec.name) ?? []),
    ]
  })
}

/** The settings of topics, with where each comes from. */
export async function settingsOf(admin: Admin, names: readonly string[]): Promise<Map<string, ConfigEntries[]>> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: names.map((name) => ({ type: TOPIC_RESOURCE, name })),
  })
  return new Map(resources.map(({ resourceName, configEntries }) => [resourceName, configEntries]))
}

/** kafkajs's ConfigResourceTypes.TOPIC. */
export const TOPIC_RESOURCE = 2

function partitionDifference({ name, partitions }: TopicSpec, is: number): TopicDifference[] {
  if (is === partitions) return []
  return [
    {
      topic: name,
      what: 'partitions',
      is: String(is),
      shouldBe: String(partitions),
      mend:
        `The count cannot be changed in place: records of one key would lie in two partitions and lose their order. ` +
        `Either set partitions to ${is} in the topics file, or stop all writers, delete the topic ` +
        `(kafka-topics.sh --bootstrap-server <broker> --delete --topic ${name}), apply the topics file and publish everything again.`,
    },
  ]
}

function replicationDifference({ name, replicationFactor }: TopicSpec, is: number): TopicDifference[] {
  if (is === replicationFactor) return []
  return [
    {
      topic: name,
      what: 'replication factor',
      is: String(is),
      shouldBe: String(replicationFactor),
      mend:
        `Assign its replicas anew: kafka-reassign-partitions.sh --bootstrap-server <broker> --execute ` +
        `--reassignment-json-file <file naming ${replicationFactor} replicas for each partition of ${name}>`,
    },
  ]
}

function settingDifferences({ name, config }: TopicSpec, actual: readonly ConfigEntries[]): TopicDifference[] {
  return Object.entries(config).flatMap(([setting, shouldBe]) => {
    const is = actual.find((entry) => entry.configName === setting)?.configValue
    if (is !== undefined && normalized(is) === normalized(shouldBe)) return []
    return [
      {
        topic: name,
        what: setting,
        is: is ?? '(no such setting)',
        shouldBe,
        mend: `kafka-configs.sh --bootstrap-server <broker> --alter --entity-type topics --entity-name ${name} --add-config '${setting}=[${shouldBe}]'`,
      },
    ]
  })
}

// Kafka keeps lists such as cleanup.policy=compact,delete in the order they were given.
function normalized(value: string): string {
  return value
    .split(',')
    .map((part) => part.trim())
    .sort()
    .join()
}
