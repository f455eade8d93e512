import { join } from 'node:path'
import { databaseUrl, type Endpoints } from './endpoints.js'
import { startKafka } from './kafka.js'
import type { ManagedProcess } from './managed-process.js'
import { sweepPidFiles } from './pid-file.js'
import { startPostgres } from './postgres.js'
import { allowPassage } from './reachable-place.js'
import { startSchemaRegistry } from './schema-registry.js'
import type { Stack } from './stack.js'
import { lockStack } from './stack-lock.js'

export interface EmbeddedStackOptions {
  /** Kept between starts, one sub-directory per process. */
  readonly dataDir: string
  /** A port that is absent or 0 is a free one. */
  readonly ports?: {
    readonly postgres?: number
    readonly kafka?: number
    readonly kafkaController?: number
    readonly schemaRegistry?: number
  }
  /** Postgres only; see `startPostgres`. @default true */
  readonly fsync?: boolean
  readonly postgresSettings?: Readonly<Record<string, string>>
  /** More broker settings, by their Kafka names. */
  readonly kafkaSettings?: Readonly<Record<string, string>>
  /** See `startKafka`. @default false */
  readonly optimise?: boolean
  /** Told as each part gets ready. */
  readonly onReady?: (part: { readonly name: string; readonly tookMs: number }) => void
  /** Told of children that a killed parent had left and that were ended. */
  readonly onSwept?: (names: readonly string[]) => void
}

/**
 * Postgres, Kafka and the schema registry as child processes, started side by side.
 *
 * @throws StackLockedError, ToolMissingError, PortTakenError, ProcessNotStartedError; whatever had started is stopped.
 */
export async function startEmbeddedStack(options: EmbeddedStackOptions): Promise<Stack> {
  const { dataDir, ports = {}, onReady, onSwept } = options
  const directories = {
    postgres: join(dataDir, 'postgres'),
    kafka: join(dataDir, 'kafka'),
    registry: join(dataDir, 'schema-registry'),
  }
  const unlock = lockStack(dataDir)
  allowPassage(dataDir)
  const swept = (await Promise.all(Object.values(directories).map(sweepPidFiles))).flat()
  if (swept.length > 0) onSwept?.(swept)

  const processes: ManagedProcess[] = []
  const part = async <T>(
    name: string,
    start: Promise<T>,
    itsProcesses: (started: T) => readonly ManagedProcess[],
  ): Promise<T> => {
    const startedAt = Date.now()
    const started = await start
    processes.push(...itsProcesses(started))
    onReady?.({ name, tookMs: Date.now() - startedAt })
    return started
  }
  const stop = async () => {
    // Kafka and the registry first, Postgres last: nobody is left without the store under it.
    await Promise.all(processes.filter(({ name }) => name !== 'postgres').map((one) => one.stop()))
    await Promise.all(processes.map((one) => one.stop()))
    unlock()
  }
  const starts = await Promise.allSettled([
    part(
      'postgres',
      startPostgres({
        dataDir: directories.postgres,
        fsync: options.fsync ?? true,
        ...(ports.postgres ? { port: ports.postgres } : {}),
        ...(options.postgresSettings ? { settings: options.postgresSettings } : {}),
      }),
      (server) => [server],
    ),
    part(
      'kafka',
      startKafka({
        dataDir: directories.kafka,
        optimise: options.optimise ?? false,
        ...(ports.kafka ? { ports: [ports.kafka] } : {}),
        ...(options.kafkaSettings ? { settings: options.kafkaSettings } : {}),
        ...(ports.kafkaController ? { controllerPorts: [ports.kafkaController] } : {}),
      }),
      (cluster) => cluster.brokers,
    ),
    part(
      'schema-registry',
      startSchemaRegistry({
        dataDir: directories.registry,
        ...(ports.schemaRegistry ? { port: ports.schemaRegistry } : {}),
      }),
      (server) => [server],
    ),
  ] as const)
  const failed = starts.find((start) => start.status === 'rejected')
  if (failed) {
    await stop()
    throw failed.reason
  }
  const [postgres, kafka, registry] = starts.map((start) => (start as PromiseFulfilledResult<unknown>).value) as [
    Awaited<ReturnType<typeof startPostgres>>,
    Awaited<ReturnType<typeof startKafka>>,
    Awaited<ReturnType<typeof startSchemaRegistry>>,
  ]
  return {
    processes,
    endpoints: (): Endpoints => ({
      provider: 'embedded',
      kafka: kafka.bootstrapServers,
      schemaRegistry: registry.url,
      postgres: postgres.url,
      databases: {
        userRegistry: databaseUrl(postgres.url, 'user_registry'),
        directory: databaseUrl(postgres.url, 'directory'),
      },
      processes: processes.flatMap(({ name, pid }) => (pid === undefined ? [] : [{ name, pid }])),
    }),
    stop,
  }
}
