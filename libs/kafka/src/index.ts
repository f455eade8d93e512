export type { KafkaClient, PartitionOffsets } from './client.js'
export { type KafkaConfig, kafkaFields } from './config.js'
export type { ConsumerOptions, KafkaConsumer, RecordBatch } from './consumer/consumer.js'
export { createKafka, type KafkaTools } from './create-kafka.js'
export {
  KafkaAuthenticationError,
  KafkaAuthorizationDeniedError,
  KafkaClientClosedError,
  KafkaCoordinatorNotReadyError,
  KafkaProducerFencedError,
  KafkaRequestFailedError,
  KafkaUnreachableError,
  RecordBatchUnreadableError,
  RecordBodyInvalidError,
  RecordTooLargeError,
  type TopicDifference,
  TopicMismatchError,
  TopicMissingError,
} from './errors/kafka-errors.js'
export { headerOf } from './header-of.js'
export { partitionOf } from './partition-of.js'
export type { FencedProducer, ProducerToken } from './producer/fenced-producer.js'
export type { KafkaProducer } from './producer/producer.js'
export type { ReadTopicOptions, ReadTopicResult, TopicSlice } from './read-topic.js'
export type { KafkaRecord, OutgoingRecord } from './record.js'
export { type DecodedRecordBody, decodeRecordBody, encodeRecordBody, type RecordBody } from './record-body.js'
export type { ApplyTopicsOptions } from './topics/apply-topics.js'
export { parseTopicSpecs, type TopicSpec, topicSpec } from './topics/topic-spec.js'
