import { createPool, ensureDatabase, migrate, withTransaction } from '@rollcall/database'
import { createCodec, userLifecycle } from '@rollcall/events'
import { createKafka } from '@rollcall/kafka'
import { createMetrics, type Logger } from '@rollcall/observability'
import {
  type DeadLetters,
  healFromRegistry,
  pgStore,
  projectionMigrations,
  runProjections,
} from '@rollcall/projections'
import { effectCounter, effectTable } from './effect-counter.js'

export interface CounterOptions {
  readonly databaseUrl: string
  readonly kafka: string
  readonly schemaRegistry: string
  /** The registry, asked for missing versions. */
  readonly registry?: string | undefined
  /** @default 'effect-counter' */
  readonly groupId?: string | undefined
  readonly logger: Logger
}

export interface RunningCounter {
  /** Rejects unless the counter makes progress. */
  checkProgress(): Promise<void>
  readonly deadLetters: DeadLetters
  /** Begins a rebuild. @throws RebuildRunningError */
  rebuild(): Promise<void>
  close(): Promise<void>
}

/** Runs the effect counter on its own database and consumer group, with the library the directory uses. */
export async function runCounter({
  databaseUrl,
  kafka,
  schemaRegistry,
  registry,
  groupId = 'effect-counter',
  logger,
}: CounterOptions): Promise<RunningCounter> {
  const metrics = createMetrics('effect-counter')
  await ensureDatabase(databaseUrl)
  const pool = createPool({ url: databaseUrl, max: 6, applicationName: 'effect-counter' }, { logger })
  await migrate(pool, [projectionMigrations])
  await withTransaction(pool, async (client) => {
    // CREATE TABLE IF NOT EXISTS can still collide with itself when two counters start together.
    await client.query('SELECT pg_advisory_xact_lock(7270736900)')
    await client.query(effectTable)
  })
  const client = createKafka({ KAFKA_BROKERS: kafka.split(',') }, { logger, metrics })
  const codec = createCodec(userLifecycle, { schemaRegistryUrl: schemaRegistry })
  await codec.ready()
  const running = runProjections([effectCounter], {
    kafka: client,
    database: pgStore(pool),
    codec,
    logger,
    metrics,
    groupId,
    ...(registry === undefined ? {} : { heal: healFromRegistry({ registryUrl: registry }) }),
  })
  await running.start()
  return {
    checkProgress: () => running.checkProgress(),
    deadLetters: running.deadLetters(effectCounter.name),
    rebuild: () => running.rebuild(effectCounter.name, { keepMs: 0 }),
    async close() {
      await running.close()
      await client.close()
      await pool.end()
    },
  }
}
