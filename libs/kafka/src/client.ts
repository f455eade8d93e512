import type { ConsumerOptions, KafkaConsumer } from './consumer/consumer.js'
import type { FencedProducer, ProducerToken } from './producer/fenced-producer.js'
import type { KafkaProducer } from './producer/producer.js'
import type { ReadTopicOptions, ReadTopicResult } from './read-topic.js'
import type { ApplyTopicsOptions } from './topics/apply-topics.js'
import type { TopicSpec } from './topics/topic-spec.js'

/** One connection to a Kafka cluster: everything Rollcall does with Kafka starts here. */
export interface KafkaClient {
  /** Makes an idempotent producer; it connects on `connect()` or on the first `send()`. */
  producer(): KafkaProducer
  /** Makes a producer that a later one with the same id and a higher epoch shuts out, in the brokers. */
  fencedProducer(token: ProducerToken): FencedProducer
  /** A producer id nobody else in this cluster has. */
  newProducerId(): Promise<string>
  /** The name the cluster gave itself; producer ids and offsets mean something in it alone. */
  clusterId(): Promise<string>
  /** Makes a group consumer for one topic whose read positions are the caller's. */
  consumer(options: ConsumerOptions): KafkaConsumer
  /** Reads a bounded stretch of a topic without joining or touching any group. */
  readTopic(options: ReadTopicOptions): Promise<ReadTopicResult>
  /** Creates the topics that are missing, then verifies all. @throws TopicMismatchError */
  applyTopics(specs: readonly TopicSpec[], options?: ApplyTopicsOptions): Promise<void>
  /** Checks existence, partition count, replication factor and settings. @throws TopicMismatchError, TopicMissingError */
  verifyTopics(specs: readonly TopicSpec[]): Promise<void>
  /** The first readable offset and the high watermark of every partition. */
  offsets(topic: string): Promise<PartitionOffsets[]>
  /**
   * For every partition the offset of its first record stamped at or after the time, in milliseconds since 1970; where
   * there is none, the high watermark. Later records may be stamped earlier: nothing orders the clocks of producers.
   */
  offsetsSince(topic: string, timeMs: number): Promise<Map<number, number>>
  /** Proves that a broker answers; for readiness. @throws KafkaUnreachableError */
  ping(): Promise<void>
  /** Closes the administrative connection; producers and consumers are closed by their owners. */
  close(): Promise<void>
}

export interface PartitionOffsets {
  readonly partition: number
  /** First offset still in the log. */
  readonly low: number
  /** High watermark: the offset the next committed record will have. */
  readonly high: number
}
