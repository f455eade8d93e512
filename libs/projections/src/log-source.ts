import type { KafkaClient } from '@rollcall/kafka'

/**
 * The port to the log: the part of Kafka a runner uses. A `KafkaClient` is one; a simulator may be another.
 * A position is always the offset of the next record to apply.
 */
export type LogSource = Pick<KafkaClient, 'consumer' | 'readTopic' | 'offsets'> &
  // Only for the roll call, and to begin a replay where its time is.
  Partial<Pick<KafkaClient, 'producer' | 'offsetsSince'>>
