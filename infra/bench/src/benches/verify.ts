import { directoryMigrations, people } from '@rollcall/directory'
import { userLifecycle } from '@rollcall/events'
import type { KafkaClient } from '@rollcall/kafka'
import { partitionOf } from '@rollcall/kafka'
import {
  pgStore,
  type RunningProjections,
  runProjections,
  userRegistry,
  type VerifyRequest,
} from '@rollcall/projections'
import { createRegistryApp, registryMigrations } from '@rollcall/user-registry'
import type { Bench } from '../bench.js'
import {
  type BenchDatabase,
  benchKafka,
  benchTools,
  makeTopic,
  openBenchDatabase,
  PARTITIONS,
  readyCodec,
} from '../bench-tools.js'
import { interleave, median, pairedRatio } from '../measure.js'
import { decodeTopic } from '../people-topic.js'
import { ground } from '../projection-ground.js'
import { creationOf, loadUsers } from '../registry-users.js'

const USERS = 1_000_000
const ASK_VERSIONS = 5
const ASK_CONTENT = 40

export const verify: Bench = {
  name: 'verify',
  about:
    'registry and read model of 1,000,000 users compared, versions only and whole rows; against count(*) of the table',
  async run({ stack, rounds, scale, log }) {
    const registry = await openBenchDatabase(stack, 'bench_verify_registry', registryMigrations)
    const directory = await openBenchDatabase(stack, 'bench_verify_directory', directoryMigrations)
    const kafka = benchKafka(stack.kafka)
    await makeTopic(kafka)
    const codec = await readyCodec(stack.schemaRegistry)
    const users = Math.round(USERS * scale)
    await fill(kafka, registry, users, codec)
    await ground(directory, people.name, people.table.name, (projection) =>
      runProjections([projection], { kafka, database: pgStore(directory.pool), codec, ...benchTools() }),
    )
    await directory.pool.query(`VACUUM ANALYZE projections."applied_version_${people.name}"`)
    log(`${users} users in registry, topic and read model`)

    const tools = benchTools()
    const app = await createRegistryApp({ pool: registry.pool, codec, wakeUp: { poke() {} }, ...tools })
    const registryUrl = await app.listen({ host: '127.0.0.1', port: 0 })
    const projections = runProjections([people], {
      kafka,
      database: pgStore(directory.pool),
      codec,
      ...benchTools(),
      groupId: 'bench',
      registry: userRegistry({ registryUrl }),
    })
    await projections.start()
    try {
      const figures = await interleave(rounds, {
        count: () =>
          timed(async () => {
            const { rows } = await directory.pool.query<{ rows: number }>('SELECT count(*) AS rows FROM person')
            if (rows[0]?.rows !== users) throw new Error(`${rows[0]?.rows} rows instead of ${users}`)
          }),
        versions: () => timed(() => equal(projections, users, {})),
        content: () => timed(() => equal(projections, users, { content: true })),
        topic: () => timed(() => decodeTopic(kafka, codec, users)),
      })
      const [count, topic] = [median(figures.count), median(figures.topic)]
      const versions = pairedRatio(figures.versions, figures.count)
      const content = pairedRatio(figures.content, figures.count)
      log(`count(*) ${count.toFixed(0)} ms, reading and decoding the topic ${topic.toFixed(0)} ms`)
      return [
        {
          bench: 'verify versions',
          value: median(figures.versions),
          ceiling: count,
          ratio: versions,
          unit: 'ms',
          against: 'count(*) of the table',
          ask: { text: `<= ${ASK_VERSIONS}`, holds: versions <= ASK_VERSIONS },
        },
        {
          bench: 'verify content',
          value: median(figures.content),
          ceiling: count,
          ratio: content,
          unit: 'ms',
          against: 'count(*) of the table',
          ask: { text: `<= ${ASK_CONTENT}`, holds: content <= ASK_CONTENT },
        },
        {
          bench: 'verify content, per event',
          value: median(figures.content),
          ceiling: topic,
          ratio: pairedRatio(figures.content, figures.topic),
          unit: 'ms',
          against: 'reading and decoding every event of the topic, and doing nothing with them',
        },
      ]
    } finally {
      await projections.close()
      await app.close()
      await kafka.close()
      await Promise.all([registry.pool.end(), directory.pool.end()])
    }
  },
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

async function equal(projections: RunningProjections, users: number, request: Partial<VerifyRequest>): Promise<void> {
  const report = await projections.verify(people.name, { actor: 'bench', ...request })
  if (report.left > 0 || report.registry.users !== users || report.readModel.users !== users) {
    throw new Error(`not equal: ${JSON.stringify({ ...report, items: report.items.slice(0, 3) })}`)
  }
  if (report.content !== null && (report.content.users !== users || report.content.unchecked > 0)) {
    throw new Error(`not all compared: ${JSON.stringify(report.content)}`)
  }
}

type Codec = Awaited<ReturnType<typeof readyCodec>>

/** The same users in the registry's table and on the topic. */
async function fill(kafka: KafkaClient, { pool }: BenchDatabase, users: number, codec: Codec): Promise<void> {
  const producer = kafka.producer()
  const timestampMs = Date.now()
  for (let first = 0; first < users; first += AT_ONCE) {
    const writes = Array.from({ length: Math.min(AT_ONCE, users - first) }, (_, at) =>
      creationOf(first + at + 1, codec),
    )
    await loadUsers(
      pool,
      writes.map(({ decision }) => decision.next),
      { isLast: first + AT_ONCE >= users },
    )
    const records = writes.map(({ decision, record }) => ({
      partition: partitionOf(Buffer.from(decision.event.userId), PARTITIONS),
      body: record,
      timestampMs,
    }))
    for (let from = 0; from < records.length; from += 5_000) {
      await producer.send(userLifecycle.name, records.slice(from, from + 5_000))
    }
  }
  await producer.close()
}

const AT_ONCE = 20_000
