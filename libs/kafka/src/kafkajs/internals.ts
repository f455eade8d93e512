import { createRequire } from 'node:module'
import type { Kafka } from 'kafkajs'

/**
 * The parts of kafkajs that its public surface does not show, with the shapes that 2.2.4 gives them. package.json pins
 * that version exactly; `fast-wire.ts` asks `kafkajsVersion` again at run time before it touches anything.
 */
const require = createRequire(import.meta.url)

export const PINNED_VERSION = '2.2.4'
export const kafkajsVersion = (require('kafkajs/package.json') as { version: string }).version

export interface ProtocolErrorShape extends Error {
  readonly type?: string
  readonly topic?: string
  readonly partition?: number
}

/** Answers of kafkajs's retrying functions and its protocol definitions, both stock and replaced. */
export interface ProtocolDefinition<Arguments, Decoded> {
  protocol(options: { version: number }): (args: Arguments) => {
    request: { encode(): Promise<EncodedPayload>; [other: string]: unknown }
    response: { decode(raw: Buffer): Promise<Decoded>; parse(decoded: Decoded): Promise<Decoded> }
    [other: string]: unknown
  }
}

/** What kafkajs asks of an encoder it appends to a request: `buf` proves its kind, `buffer` is copied. */
export interface EncodedPayload {
  readonly buf: Buffer
  readonly buffer: Buffer
}

export interface ProduceArguments {
  readonly acks: number
  readonly timeout: number
  readonly transactionalId?: string | null
  /** Absent for a producer that is not idempotent. */
  readonly producerId?: unknown
  readonly producerEpoch?: number
  readonly compression: number
  readonly topicData: readonly ProduceTopic[]
}

export interface ProduceTopic {
  readonly topic: string
  readonly partitions: readonly ProducePartition[]
}

export interface ProducePartition {
  readonly partition: number
  readonly firstSequence?: number
  readonly messages: readonly object[]
}

export interface ProduceResponse {
  readonly topics: readonly {
    readonly topicName: string
    readonly partitions: readonly {
      readonly partition: number
      readonly errorCode: number
      readonly baseOffset: string
    }[]
  }[]
}

export interface FetchPartition {
  readonly partition: number
  readonly errorCode: number
  readonly highWatermark: string
  readonly lastStableOffset?: string
  readonly lastStartOffset?: string
  readonly abortedTransactions: readonly { producerId: string; firstOffset: string }[] | null
  readonly preferredReadReplica?: number
  readonly messages: readonly StockMessage[]
}

export interface FetchResponse {
  readonly throttleTime: number
  readonly clientSideThrottleTime?: number
  readonly errorCode?: number
  readonly sessionId?: number
  readonly responses: readonly { readonly topicName: string; readonly partitions: readonly FetchPartition[] }[]
}

/** A message as kafkajs decodes it; of ours only `offset` (a number) and the absent `isControlRecord` are seen by it. */
export interface StockMessage {
  readonly offset: string
  readonly timestamp: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, Buffer | string | (Buffer | string)[] | undefined>>
  readonly isControlRecord?: boolean
  readonly batchContext?: {
    readonly firstOffset: string
    readonly lastOffsetDelta: number
    readonly producerId: string
  }
}

export interface Broker {
  fetch(request: {
    maxWaitTime: number
    minBytes: number
    maxBytes: number
    isolationLevel: number
    topics: { topic: string; partitions: { partition: number; fetchOffset: string; maxBytes: number }[] }[]
    rackId: string
  }): Promise<FetchResponse>
  findGroupCoordinator(request: { groupId: string; coordinatorType: number }): Promise<unknown>
  produce(request: ProduceArguments): Promise<ProduceResponse>
  initProducerId(request: { transactionalId: string | null; transactionTimeout: number }): Promise<{
    producerId: string
    producerEpoch: number
  }>
}

export interface Cluster {
  isConnected(): boolean
  connect(): Promise<void>
  disconnect(): Promise<void>
  refreshMetadata(): Promise<void>
  refreshMetadataIfNecessary(): Promise<void>
  addTargetTopic(topic: string): Promise<void>
  addMultipleTargetTopics(topics: string[]): Promise<void>
  getNodeIds(): string[]
  removeBroker(address: { host: string; port: number }): void
  findBroker(node: { nodeId: string }): Promise<Broker>
  findControllerBroker(): Promise<Broker>
  metadata(options: { topics: string[] }): Promise<{ clusterId: string }>
  findTopicPartitionMetadata(topic: string): { partitionId: number; leader: number }[]
  findLeaderForPartitions(topic: string, partitions: number[]): Record<string, number[]>
  fetchTopicsOffset(
    topics: { topic: string; fromBeginning: boolean; fromTimestamp?: number; partitions: { partition: number }[] }[],
  ): Promise<{ topic: string; partitions: { partition: number; offset: string }[] }[]>
}

/** One partition's share of a fetch, freed of records before the offset asked for and of aborted and control records. */
export interface Batch {
  readonly topic: string
  readonly partition: number
  readonly fetchedOffset: string
  readonly highWatermark: string
  readonly rawMessages: readonly StockMessage[]
  readonly messages: readonly StockMessage[]
}

export interface ConsumerGroup {
  memberId: string | null
  maxWaitTime: number
  readonly subscriptionState: {
    pause(partitions: { topic: string; partitions: number[] }[]): void
    resume(partitions: { topic: string; partitions: number[] }[]): void
  }
  connect(): Promise<void>
  joinAndSync(): Promise<void>
  leave(): Promise<void>
  assigned(): { topic: string; partitions: number[] }[]
  getNodeIds(): string[]
  heartbeat(options: { interval: number }): Promise<void>
  fetch(nodeId: string): Promise<Batch[]>
  recoverFromFetch(error: ProtocolErrorShape): Promise<void>
  findReadReplicaForPartitions(topic: string, partitions: number[]): Record<string, number[]>
  seek(position: { topic: string; partition: number; offset: string }): void
  resolveOffset(position: { topic: string; partition: number; offset: string }): void
  commitOffsets(offsets: {
    topics: { topic: string; partitions: { partition: number; offset: string }[] }[]
  }): Promise<void>
}

export const produceRequests = require('kafkajs/src/protocol/requests/produce') as ProtocolDefinition<
  ProduceArguments,
  ProduceResponse
>
export const fetchRequests = require('kafkajs/src/protocol/requests/fetch') as ProtocolDefinition<
  { readonly maxBytes: number },
  FetchResponse
>
export const decodeStockMessages = require('kafkajs/src/protocol/requests/fetch/v4/decodeMessages') as (decoder: {
  buffer: Buffer
}) => Promise<StockMessage[]>
export const Decoder = require('kafkajs/src/protocol/decoder') as new (buffer: Buffer) => { buffer: Buffer }
export const FetchedBatch = require('kafkajs/src/consumer/batch') as new (
  topic: string,
  fetchedOffset: string,
  partition: FetchPartition,
) => Batch
export const GroupOfConsumers = require('kafkajs/src/consumer/consumerGroup') as new (
  options: Record<string, unknown>,
) => ConsumerGroup
export const roundRobin = require('kafkajs/src/consumer/assigners').roundRobin as (options: object) => object
export const GROUP_JOIN = require('kafkajs/src/consumer/instrumentationEvents').events.GROUP_JOIN as string

/** A connection pool of its own with everything that `kafka` was configured with. */
export function openCluster(kafka: Kafka): Cluster {
  const makers = kafka as unknown as Record<symbol, (options: object) => Cluster>
  const createCluster = Object.getOwnPropertySymbols(kafka).find((key) => key.description === CREATE_CLUSTER)
  if (createCluster === undefined) throw new Error(`kafkajs ${kafkajsVersion} has no ${CREATE_CLUSTER}`)
  return (makers[createCluster] as (options: object) => Cluster)({
    metadataMaxAge: 300_000,
    allowAutoTopicCreation: false,
    isolationLevel: READ_COMMITTED,
  })
}

export const READ_COMMITTED = 1
const CREATE_CLUSTER = 'private:Kafka:createCluster'
