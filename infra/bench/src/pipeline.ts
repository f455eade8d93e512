import { directoryMigrations, people } from '@rollcall/directory'
import { type User, type UserLifecycleEvent, userLifecycle } from '@rollcall/events'
import type { KafkaClient } from '@rollcall/kafka'
import { defineProjection, pgStore, runProjections } from '@rollcall/projections'
import { registryMigrations } from '@rollcall/user-registry'
import type { BenchStack } from './bench-stack.js'
import { benchKafka, benchTools, makeTopic, openBenchDatabase, readyCodec, until } from './bench-tools.js'
import { type Child, startChild } from './child.js'
import type { RelayCommands } from './processes/relay.js'
import type { WriterCommands } from './processes/writer.js'

/** The way of a change: a writer and the relay in processes of their own, and the directory's projection, if wanted, in this one. */
export interface Pipeline {
  readonly writer: Child<WriterCommands>
  readonly kafka: KafkaClient
  readonly registryUrl: string
  readonly relayPid: number
  /** Of all users there are. */
  userIds(): Promise<string[]>
  /** Resolves when everything in the outbox has come to the end of the way. */
  caughtUp(): Promise<void>
  close(): Promise<void>
}

export interface PipelineOptions {
  /** Of the writer, to its database. */
  readonly connections: number
  /** Called when the projection's handler is, with the event it was given. Without it the way ends in the topic. */
  readonly handled?: (event: UserLifecycleEvent) => void
}

export async function openPipeline(stack: BenchStack, { connections, handled }: PipelineOptions): Promise<Pipeline> {
  const registry = await openBenchDatabase(stack, 'bench_registry', registryMigrations, 2)
  const kafka = benchKafka(stack.kafka)
  await makeTopic(kafka)
  const relay = startChild<RelayCommands>('relay')
  const writer = startChild<WriterCommands>('writer')
  const { schemaRegistry } = stack
  await writer.call('open', { databaseUrl: registry.url, schemaRegistry, connections })
  await relay.call('start', { databaseUrl: registry.url, kafka: stack.kafka })
  const directory = handled && (await openDirectory(stack, kafka, handled))
  return {
    writer,
    kafka,
    registryUrl: registry.url,
    relayPid: relay.pid,
    async userIds() {
      const { rows } = await registry.pool.query<{ id: string }>('SELECT id FROM user_account ORDER BY id')
      return rows.map(({ id }) => id)
    },
    async caughtUp() {
      const { rows } = await registry.pool.query('SELECT count(*) AS written FROM outbox.message')
      const written = Number(rows[0]?.written)
      const arrived = directory?.applied ?? (() => inTopic(kafka))
      await until(`${written} events to arrive`, async () => (await arrived()) >= written)
    },
    async close() {
      await directory?.close()
      await relay.call('stop')
      await writer.call('close')
      await Promise.all([relay.close(), writer.close(), kafka.close()])
      await registry.pool.end()
    },
  }
}

async function inTopic(kafka: KafkaClient): Promise<number> {
  const offsets = await kafka.offsets(userLifecycle.name)
  return offsets.reduce((sum, { high }) => sum + high, 0)
}

async function openDirectory(stack: BenchStack, kafka: KafkaClient, handled: (event: UserLifecycleEvent) => void) {
  const { pool } = await openBenchDatabase(stack, 'bench_directory', directoryMigrations, 8)
  const projections = runProjections([observed(handled)], {
    kafka,
    database: pgStore(pool),
    codec: await readyCodec(stack.schemaRegistry),
    ...benchTools(),
    groupId: 'bench',
  })
  await projections.start()
  return {
    /** Positions, not rows: an event that was folded into a later one has been applied too. */
    async applied() {
      const { rows } = await pool.query(
        "SELECT coalesce(sum(position), 0) AS applied FROM projections.checkpoint WHERE projection = 'people'",
      )
      return Number(rows[0]?.applied)
    },
    async close() {
      await projections.close()
      await pool.end()
    },
  }
}

function observed(handled: (event: UserLifecycleEvent) => void) {
  return defineProjection<UserLifecycleEvent>({
    ...people,
    topic: userLifecycle,
    table: {
      ...people.table,
      row(user: User, event: UserLifecycleEvent) {
        handled(event)
        return people.table.row(user, event)
      },
    },
  })
}
