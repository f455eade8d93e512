import type { Logger, Metrics } from '@rollcall/observability'
import type { PublisherSource } from './publisher.js'

/** What a relay needs; the options have defaults that fit production. */
export interface RelayConfig {
  /** The database whose outbox is shipped. Must reach a primary directly or through a session pooler. */
  readonly databaseUrl: string
  readonly kafka: PublisherSource
  readonly logger: Logger
  readonly metrics: Metrics
  /** Names this process in the state row and in logs. @default host name and process id */
  readonly instance?: string
  readonly options?: RelayOptions
}

/** Tuning; times in milliseconds. */
export interface RelayOptions {
  /** Longest a leader may be silent before a standby takes over. @default 3000 */
  readonly leaseMs?: number
  /** How often a standby looks whether the leader is silent. @default 250 */
  readonly standbyPollMs?: number
  /** Looks for rows this often when no wake-up arrives. @default 100 */
  readonly fallbackMs?: number
  /** Least time between two stored positions while live. @default 50 */
  readonly checkpointMs?: number
  /** More rows than this at once are read as a back-log. @default 1000 */
  readonly liveRows?: number
  /** Rows of one back-log page. @default 5000 */
  readonly pageRows?: number
  /** Bytes of one send. @default 4 MB */
  readonly sendBytes?: number
  /** Bytes of one partition inside one send; below the topic's max.message.bytes. @default 900 kB */
  readonly partitionBytes?: number
  /** First and longest pause after a failure of Kafka or Postgres. @default 100 and 5000 */
  readonly backoffMs?: { readonly first: number; readonly longest: number }
  readonly retention?: RetentionOptions
  /** Most messages a second that are sent once more on request, beside live traffic. @default 5000 */
  readonly republishPerSecond?: number
  /** How often lag is measured for the metrics. @default 5000 */
  readonly lagMs?: number
  /** A monotonic clock in milliseconds, for tests. @default performance.now */
  readonly monotonicMs?: () => number
}

/** How long shipped messages stay, and how the table is cut into partitions. */
export interface RetentionOptions {
  /** Shipped messages stay at least this long. @default 30 days */
  readonly keepMs?: number
  /** @default 60000 */
  readonly everyMs?: number
  /** Ids per partition made from now on. @default 10000000 */
  readonly partitionRows?: number
  /** Empty partitions kept ready ahead of the newest id. @default 2 */
  readonly ahead?: number
}
