import { createPool, ensureDatabase, type MigrationSource, migrate, type Pool } from '@rollcall/database'
import { createCodec, type EventCodec, type UserLifecycleEvent, userLifecycle } from '@rollcall/events'
import { createKafka, type KafkaClient } from '@rollcall/kafka'
import { createLogger, createMetrics, type Logger, type Metrics } from '@rollcall/observability'
import pg from 'pg'
import type { BenchStack } from './bench-stack.js'

/** Warnings and errors to standard error; metrics are counted as in production and read by nobody. */
export function benchTools(): { readonly logger: Logger; readonly metrics: Metrics } {
  const destination = { write: (line: string) => void process.stderr.write(line) }
  return { logger: createLogger({ service: 'bench', level: 'warn', destination }), metrics: createMetrics('bench') }
}

/** A client of its own metrics registry, so that one process may make several. */
export function benchKafka(brokers: string): KafkaClient {
  return createKafka({ KAFKA_BROKERS: [brokers] }, benchTools())
}

export interface BenchDatabase {
  readonly url: string
  readonly pool: Pool
}

/** Makes and migrates a database of the stack. */
export async function openBenchDatabase(
  stack: Pick<BenchStack, 'databaseUrl'>,
  name: string,
  migrations: readonly MigrationSource[],
  connections = 16,
): Promise<BenchDatabase> {
  const url = stack.databaseUrl(name)
  await ensureDatabase(url)
  const pool = createPool({ url, max: connections, applicationName: 'bench' }, benchTools())
  await migrate(pool, migrations)
  return { url, pool }
}

/** A codec that knows, and has registered, the event schemas. */
export async function readyCodec(schemaRegistryUrl: string): Promise<EventCodec<UserLifecycleEvent>> {
  const codec = createCodec(userLifecycle, { schemaRegistryUrl, register: true })
  await codec.ready()
  return codec
}

export const PARTITIONS = 12

/** Makes the topic; its files go at once when it is deleted, or rounds would fill the disk. */
export async function makeTopic(kafka: KafkaClient, name: string = userLifecycle.name): Promise<void> {
  await kafka.applyTopics([
    { name, partitions: PARTITIONS, replicationFactor: 1, config: { 'file.delete.delay.ms': '0' } },
  ])
}

/** Holds a writing transaction open, with a transaction id and a snapshot of its own; answers how to end it. */
export async function holdTransaction(url: string): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query('CREATE TABLE IF NOT EXISTS public.bench_held (at timestamptz)')
  // Its snapshot lasts as long as it does: nothing deleted meanwhile can be vacuumed.
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
  await client.query('INSERT INTO public.bench_held VALUES (now())')
  return async () => {
    await client.query('ROLLBACK')
    await client.end()
  }
}

/** Polls every few milliseconds; rejects after a minute, so that a bench ends by itself. */
export async function until(
  what: string,
  holds: () => Promise<boolean> | boolean,
  { everyMs = 5, timeoutMs = 120_000 } = {},
): Promise<void> {
  const end = performance.now() + timeoutMs
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited ${timeoutMs / 1000} s in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}

/** Milliseconds by the clock all processes of a machine share. */
export const sharedClockMs = () => Number(process.hrtime.bigint()) / 1e6
