import { RollcallError } from '@rollcall/errors'
import { decodeRecordBody, type FencedProducer, type KafkaRecord, type OutgoingRecord } from '@rollcall/kafka'
import type { PublisherSource } from '../../src/relay/publisher.js'

export interface Published {
  readonly key: string
  readonly version: number
  readonly partition: number
}

/**
 * Topics in memory, with the fence of a broker: a partition refuses epochs below the highest it saw. `interfere` may throw,
 * or wait, before and after records are kept.
 */
export interface RecordingPublisher extends PublisherSource {
  readonly published: Published[]
  partitions: number
  interfere: (send: {
    readonly at: 'before' | 'after'
    readonly records: readonly OutgoingRecord[]
  }) => Promise<void> | void
}

export function recordingPublisher(): RecordingPublisher {
  const published: Published[] = []
  const logs = new Map<string, PartitionLog[]>()
  const topicOf = (topic: string): PartitionLog[] => {
    const log = logs.get(topic) ?? []
    logs.set(topic, log)
    while (log.length < recording.partitions) log.push({ records: [], epoch: 0 })
    return log
  }
  const producerOf = (epoch: number): FencedProducer => ({
    connect: async () => {},
    close: async () => {},
    async send(topic, records) {
      await recording.interfere({ at: 'before', records })
      const partitions = topicOf(topic)
      const firsts = new Map<number, number>()
      for (const { body, partition, timestampMs } of records) {
        const log = partitions[partition] as PartitionLog
        if (epoch < log.epoch) throw new FencedError()
        log.epoch = epoch
        if (!firsts.has(partition)) firsts.set(partition, log.records.length)
        const { key, value, headers } = decodeRecordBody(body)
        log.records.push({ offset: log.records.length, timestampMs, key, value, headers, producerId: PRODUCER_ID })
        published.push({ key: String(key), version: Number(headers.ce_sequence), partition })
      }
      await recording.interfere({ at: 'after', records })
      return firsts
    },
  })
  const recording: RecordingPublisher = {
    published,
    partitions: 4,
    interfere: () => {},
    clusterId: async () => 'memory',
    newProducerId: async () => String(PRODUCER_ID),
    fencedProducer: ({ epoch }) => producerOf(epoch),
    offsets: async (topic) =>
      topicOf(topic).map(({ records }, partition) => ({ partition, low: 0, high: records.length })),
    async readTopic({ topic, from, until, partitions = [], onBatch }) {
      let count = 0
      for (const partition of partitions) {
        const log = topicOf(topic)[partition] as PartitionLog
        const end = until instanceof Map ? until.get(partition) : undefined
        const records = log.records.slice(from instanceof Map ? from.get(partition) : 0, end)
        count += records.length
        const nextOffset = end ?? log.records.length
        if (records.length > 0) await onBatch({ topic, partition, records, nextOffset, highWatermark: nextOffset })
      }
      return { records: count, positions: new Map() }
    },
  }
  return recording
}

interface PartitionLog {
  readonly records: KafkaRecord[]
  epoch: number
}

const PRODUCER_ID = 7

class FencedError extends RollcallError {
  constructor() {
    super({ code: 'ERR_KAFKA_PRODUCER_FENCED', message: 'fenced', retryable: true })
  }
}
