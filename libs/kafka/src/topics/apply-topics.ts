import type { Admin } from 'kafkajs'
import { KafkaUnreachableError, TopicMismatchError } from '../errors/kafka-errors.js'
import type { TopicSpec } from './topic-spec.js'
import { differencesOf, settingsOf, TOPIC_RESOURCE, type TopicTools, withAdmin } from './verify-topics.js'

export interface ApplyTopicsOptions {
  /** Also changes settings of existing topics to what the specs say; settings not named stay. @default false */
  readonly alterConfig?: boolean
}

/** Creates the topics that are missing, waits until they can be used, and checks all. @throws TopicMismatchError */
export function applyTopics(
  specs: readonly TopicSpec[],
  tools: TopicTools,
  { alterConfig = false }: ApplyTopicsOptions = {},
): Promise<void> {
  return withAdmin(tools, 'applying topics', async (admin) => {
    const existing = new Set(await admin.listTopics())
    const missing = specs.filter(({ name }) => !existing.has(name))
    if (missing.length > 0) {
      await create(admin, missing)
      await untilUsable(admin, missing)
      tools.logger.info({ topics: missing.map(({ name }) => name) }, 'topics created')
    }
    if (alterConfig) await alter(admin, specs)
    const differences = await differencesOf(admin, specs)
    if (differences.length > 0) throw new TopicMismatchError(differences)
  })
}

// waitForLeaders can reject although the topics were created: KRaft's metadata arrives at the other brokers later.
// createTopics answers false when another process was faster, which is as good.
async function create(admin: Admin, specs: readonly TopicSpec[]): Promise<void> {
  await admin.createTopics({
    waitForLeaders: false,
    topics: specs.map(({ name, partitions, replicationFactor, config }) => ({
      topic: name,
      numPartitions: partitions,
      replicationFactor,
      configEntries: Object.entries(config).map(([setting, value]) => ({ name: setting, value })),
    })),
  })
}

async function untilUsable(admin: Admin, specs: readonly TopicSpec[]): Promise<void> {
  const deadline = Date.now() + USABLE_WITHIN_MS
  for (;;) {
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: specs.map(({ name }) => name) })
      if (topics.every(({ partitions }) => partitions.length > 0 && partitions.every(({ leader }) => leader >= 0)))
        return
    } catch (error) {
      if (Date.now() > deadline) throw error
    }
    if (Date.now() > deadline)
      throw new KafkaUnreachableError('waiting for leaders of new topics', new Error('none yet'))
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const USABLE_WITHIN_MS = 15_000

async function alter(admin: Admin, specs: readonly TopicSpec[]): Promise<void> {
  const changed = (await differencesOf(admin, specs)).map(({ topic }) => topic)
  const wrong = specs.filter(({ name, config }) => changed.includes(name) && Object.keys(config).length > 0)
  if (wrong.length === 0) return
  // AlterConfigs, unlike its incremental successor which kafkajs lacks, resets every setting it does not name.
  const settings = await settingsOf(
    admin,
    wrong.map(({ name }) => name),
  )
  await admin.alterConfigs({
    validateOnly: false,
    resources: wrong.map(({ name, config }) => {
      const own = (settings.get(name) ?? []).filter(({ isDefault }) => !isDefault)
      const merged = { ...Object.fromEntries(own.map((entry) => [entry.configName, entry.configValue])), ...config }
      return {
        type: TOPIC_RESOURCE,
        name,
        configEntries: Object.entries(merged).map(([setting, value]) => ({ name: setting, value })),
      }
    }),
  })
}
