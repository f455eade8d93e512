/** How far the topics are accounted for, in one Kafka cluster. */
export interface TopicOffsets {
  /** Null before the first connection. */
  readonly cluster: string | null
  /** Topic to the next offset of each partition. */
  readonly topics: Readonly<Record<string, readonly number[]>>
}

/** The offsets with one topic's replaced. */
export function withTopic({ cluster, topics }: TopicOffsets, topic: string, next: readonly number[]): TopicOffsets {
  return { cluster, topics: { ...topics, [topic]: next } }
}
