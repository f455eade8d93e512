export { type ContainerStackOptions, startContainerStack } from './container-stack.js'
export { type EmbeddedStackOptions, startEmbeddedStack } from './embedded-stack.js'
export { databaseUrl, type Endpoints, readEndpoints, testEndpoints, writeEndpoints } from './endpoints.js'
export { connectExternalStack, type ExternalAddresses } from './external-stack.js'
export { findJava, type Java } from './java.js'
export { type KafkaBroker, type KafkaCluster, type KafkaOptions, startKafka } from './kafka.js'
export { type LocalSystem, type LocalSystemOptions, startLocalSystem } from './local-system.js'
export { type ManagedProcess, manageProcess, type ProcessSpec } from './managed-process.js'
export { type MavenClassPath, mavenClassPath } from './maven-class-path.js'
export { type OpenStackOptions, openStack } from './open-stack.js'
export { sweepPidFiles } from './pid-file.js'
export { findFreePort } from './ports.js'
export { type PostgresOptions, type PostgresServer, startPostgres } from './postgres.js'
export { type SchemaRegistryOptions, type SchemaRegistryServer, startSchemaRegistry } from './schema-registry.js'
export type { Stack } from './stack.js'
export { loadStackConfig, onFreePorts, type StackConfig } from './stack-config.js'
export {
  PortTakenError,
  ProcessNotStartedError,
  StackLockedError,
  StackUnreachableError,
  ToolMissingError,
} from './stack-errors.js'
export { type SuperviseOptions, supervise } from './supervise.js'
