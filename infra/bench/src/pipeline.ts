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

/** The whole way of a change: a writer and the relay in processes of their own, the directory's projection in this one. */
export interface Pipeline {
  readonly writer: Child<WriterCommands>
  readonly kafka: KafkaClient
  readonly registryUrl: string
  /** Resolves when the directory has applied everything in the outbox. */
  caughtUp(): Promise<void>
  close(): Promise<void>
}

/** @param handled called when the projection's handler is, with the event it was given */
export async function openPipeline(
  stack: BenchStack,
  { connections, handled }: { connections: number; handled: (event: UserLifecycleEvent) => void },
): Promise<Pipeline> {
  const registry = await openBenchDatabase(stack, 'bench_registry', registryMigrations, 2)
  const directory = await openBenchDatabase(stack, 'bench_directory', directoryMigrations, 8)
  const kafka = benchKafka(stack.kafka)
  await makeTopic(kafka)
  const relay = startChild<RelayCommands>('relay')
  const writer = startChild<WriterCommands>('writer')
  const { schemaRegistry } = stack
  await writer.call('open', { databaseUrl: registry.url, schemaRegistry, connections })
  await relay.call('start', { databaseUrl: registry.url, kafka: stack.kafka })
  const projections = runProjections([observed(handled)], {
    kafka,
    database: pgStore(directory.pool),
    codec: await readyCodec(schemaRegistry),
    ...benchTools(),
    groupId: 'bench',
  })
  await projections.start()
  return {
    writer,
    kafka,
    registryUrl: registry.url,
    async caughtUp() {
      const { rows } = await registry.pool.query('SELECT count(*) AS written FROM outbox.message')
      const written = Number(rows[0]?.written)
      // Positions, not rows: an event that was folded into a later one has been applied too.
      await until(`${written} events in the directory`, async () => {
        const { rows: sums } = await directory.pool.query(
          "SELECT coalesce(sum(position), 0) AS applied FROM projections.checkpoint WHERE projection = 'people'",
        )
        return Number(sums[0]?.applied) >= written
      })
    },
    async close() {
      await projections.close()
      await relay.call('stop')
      await writer.call('close')
      await Promise.all([relay.close(), writer.close(), kafka.close()])
      await Promise.all([registry.pool.end(), directory.pool.end()])
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
