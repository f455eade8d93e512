export { appendOutboxSql, appendToOutbox, type OutboxMessage } from './append.js'
export { createWakeUp, WAKE_UP_CHANNEL, type WakeUpOptions } from './create-wake-up.js'
export {
  OutboxDatabaseChangedError,
  OutboxPartitionsChangedError,
  OutboxRecordInvalidError,
  OutboxRecordTooLargeError,
  OutboxSequenceInvalidError,
  OutboxStateInvalidError,
  RelayFencedError,
  RelayUnhealthyError,
} from './errors.js'
export { outboxMigrations } from './outbox-migrations.js'
export { type ArchivedMessage, type ReadArchiveOptions, readArchive } from './read-archive.js'
export { type Holder, readHolders } from './read-holders.js'
export { createRelay, type Relay, type RelayProcessStatus, relayHealthy } from './relay/create-relay.js'
export { type OutboxReader, openOutboxReader, type Tick } from './relay/outbox-reader.js'
export type { PublisherSource } from './relay/publisher.js'
export { type ReanchorOptions, reanchorRelay } from './relay/reanchor-relay.js'
export type { RelayConfig, RelayOptions, RetentionOptions } from './relay/relay-options.js'
export { type OutboxStatus, relayStatus } from './relay-status.js'
export {
  planRepublish,
  type RepublishJob,
  type RepublishPlan,
  type RepublishScope,
  readRepublish,
  requestRepublish,
} from './republish.js'
export { type DropOptions, dropShippedPartitions } from './retention/drop-shipped-partitions.js'
export { type MakePartitionsOptions, makePartitions } from './retention/make-partitions.js'
export type { Partition } from './retention/partitions.js'
