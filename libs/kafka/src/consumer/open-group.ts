import { EventEmitter } from 'node:events'
import type { Kafka } from 'kafkajs'
import {
  type Cluster,
  type ConsumerGroup,
  GROUP_JOIN,
  GroupOfConsumers,
  openCluster,
  type ProtocolErrorShape,
  READ_COMMITTED,
  roundRobin,
} from '../kafkajs/internals.js'
import type { ConsumerOptions } from './consumer.js'

export interface GroupTools {
  readonly kafka: Kafka
  /** Limit of one response; which one it is chooses the decoder (see fast-wire.ts). */
  readonly maxBytes: number
}

export interface GroupCallbacks {
  /** Called in the same turn in which a new assignment is taken, before anything can be fetched under it. */
  joined(): void
  /** Called with what a fetch failed of; when it rejects, the fetch does. */
  recoverFromFetch(error: ProtocolErrorShape): Promise<void>
}

/** A connection pool of the consumer's own and kafkajs's membership on it; nothing is connected yet. */
export function openGroup(
  options: ConsumerOptions,
  { kafka, maxBytes }: GroupTools,
  { joined, recoverFromFetch }: GroupCallbacks,
): { cluster: Cluster; group: ConsumerGroup } {
  const { topic, groupId, maxWaitMs = 150, maxBytesPerPartition = 1_048_576, sessionTimeoutMs = 6_000 } = options
  const cluster = openCluster(kafka)
  const emitter = new EventEmitter().on(GROUP_JOIN, joined)
  const group = new GroupOfConsumers({
    logger: kafka.logger(),
    topics: [topic],
    topicConfigurations: { [topic]: { fromBeginning: true } },
    retry: { initialRetryTime: 20, maxRetryTime: 1_000, multiplier: 2, factor: 0.2, retries: 5 },
    cluster,
    groupId,
    assigners: [roundRobin({ cluster, groupId, logger: kafka.logger() })],
    sessionTimeout: sessionTimeoutMs,
    rebalanceTimeout: 60_000,
    maxBytesPerPartition,
    minBytes: 1,
    maxBytes,
    maxWaitTimeInMs: maxWaitMs,
    instrumentationEmitter: { emit: (name: string, payload: unknown) => emitter.emit(name, payload) },
    isolationLevel: READ_COMMITTED,
    rackId: '',
    metadataMaxAge: 300_000,
    autoCommit: false,
    autoCommitInterval: null,
    autoCommitThreshold: null,
  })
  group.recoverFromFetch = recoverFromFetch
  return { cluster, group }
}
