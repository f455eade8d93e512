import type { OutgoingRecord } from '../record.js'

export interface KafkaProducer {
  /** Connects ahead of the first `send()`. */
  connect(): Promise<void>
  /**
   * Resolves when every record is acknowledged by all in-sync replicas; records of one partition keep their order,
   * also across concurrent calls. Rejects when any record may not be in the log; some of them may be.
   *
   * @throws KafkaUnreachableError (retryable), TopicMissingError, RecordTooLargeError, KafkaAuthorizationDeniedError,
   * KafkaProducerFencedError (retryable: the next send uses a new producer id)
   */
  send(topic: string, records: readonly OutgoingRecord[]): Promise<void>
  /** Partitions of the topic, from cached cluster metadata. @throws TopicMissingError */
  partitionCount(topic: string): Promise<number>
  close(): Promise<void>
}
