import type { StartedTestContainer } from 'testcontainers'
import { databaseUrl } from './endpoints.js'
import { findFreePort } from './ports.js'
import { setCompatibility } from './schema-registry.js'
import type { Stack } from './stack.js'
import { StackUnreachableError } from './stack-errors.js'

export interface ContainerStackOptions {
  /** A port that is absent or 0 is a free one. */
  readonly ports?: { readonly postgres?: number; readonly kafka?: number; readonly schemaRegistry?: number }
  readonly onReady?: (part: { readonly name: string; readonly tookMs: number }) => void
}

const IMAGES = {
  postgres: 'postgres:18',
  kafka: 'apache/kafka:4.4.0',
  schemaRegistry: 'apicurio/apicurio-registry-mem:2.6.13.Final',
}
const READY_TIMEOUT_MS = 180_000 // the first time the images are pulled

/** The stack as containers whose data goes away with them; schema ids and events live and die together. @throws StackUnreachableError */
export async function startContainerStack({ ports = {}, onReady }: ContainerStackOptions = {}): Promise<Stack> {
  const { GenericContainer, Wait } = await import('testcontainers') // 0.2 s that the other providers need not pay
  const started: StartedTestContainer[] = []
  const stop = async () => {
    await Promise.all(started.map((container) => container.stop()))
  }
  const run = async (name: string, container: InstanceType<typeof GenericContainer>) => {
    const startedAt = Date.now()
    const running = await container.withStartupTimeout(READY_TIMEOUT_MS).start()
    started.push(running)
    onReady?.({ name, tookMs: Date.now() - startedAt })
  }
  const postgresPort = ports.postgres || (await findFreePort())
  const kafkaPort = ports.kafka || (await findFreePort())
  const schemaRegistryPort = ports.schemaRegistry || (await findFreePort())
  const postgres = new GenericContainer(IMAGES.postgres)
    .withEnvironment({ POSTGRES_HOST_AUTH_METHOD: 'trust' })
    .withCommand(['postgres', '-c', 'wal_level=logical', '-c', 'max_connections=200'])
    .withExposedPorts({ container: 5432, host: postgresPort })
    .withWaitStrategy(Wait.forLogMessage(/ready to accept connections/, 2)) // the first is the one that only initialises
  const kafka = new GenericContainer(IMAGES.kafka)
    .withEnvironment({
      KAFKA_NODE_ID: '1',
      KAFKA_PROCESS_ROLES: 'broker,controller',
      KAFKA_LISTENERS: 'PLAINTEXT://0.0.0.0:9092,CONTROLLER://127.0.0.1:9093',
      // Clients come back to the address that is advertised: it must be the one outside.
      KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${kafkaPort}`,
      KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
      KAFKA_CONTROLLER_QUORUM_VOTERS: '1@127.0.0.1:9093',
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
      KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
      KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
      KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
      KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
      KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
    })
    .withExposedPorts({ container: 9092, host: kafkaPort })
    .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
  const schemaRegistry = new GenericContainer(IMAGES.schemaRegistry)
    .withExposedPorts({ container: 8080, host: schemaRegistryPort })
    .withWaitStrategy(Wait.forHttp('/apis/ccompat/v7/subjects', 8080).forStatusCode(200))
  const schemaRegistryUrl = `http://127.0.0.1:${schemaRegistryPort}/apis/ccompat/v7`
  try {
    const starts = await Promise.allSettled([
      run('postgres', postgres),
      run('kafka', kafka),
      run('schema-registry', schemaRegistry),
    ])
    const failed = starts.find((start) => start.status === 'rejected')
    if (failed) throw failed.reason
    if (!(await setCompatibility(schemaRegistryUrl))) throw new Error('the schema registry refuses PUT /config')
  } catch (error) {
    await stop()
    throw new StackUnreachableError(
      `The containers did not start (${(error as Error).message}): is a Docker engine running? ROLLCALL_STACK=embedded needs none.`,
      error,
    )
  }
  const url = `postgresql://postgres@127.0.0.1:${postgresPort}/postgres`
  return {
    processes: [],
    endpoints: () => ({
      provider: 'containers',
      kafka: `127.0.0.1:${kafkaPort}`,
      schemaRegistry: schemaRegistryUrl,
      postgres: url,
      databases: { userRegistry: databaseUrl(url, 'user_registry'), directory: databaseUrl(url, 'directory') },
      processes: [],
    }),
    stop,
  }
}
