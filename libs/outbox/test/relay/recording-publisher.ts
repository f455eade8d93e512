import { decodeRecordBody, type OutgoingRecord } from '@rollcall/kafka'
import type { Publisher, PublisherSource } from '../../src/relay/publisher.js'

export interface Published {
  readonly key: string
  readonly version: number
  readonly partition: number
}

/** A publisher that keeps what it was given; `interfere` may throw, or wait, before and after it is kept. */
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
  const recording: RecordingPublisher = {
    published,
    partitions: 4,
    interfere: () => {},
    producer: (): Publisher => ({
      connect: async () => {},
      close: async () => {},
      partitionCount: async () => recording.partitions,
      async send(_topic, records) {
        await recording.interfere({ at: 'before', records })
        for (const { body, partition } of records) {
          const { key, headers } = decodeRecordBody(body)
          published.push({ key: String(key), version: Number(headers.ce_sequence), partition })
        }
        await recording.interfere({ at: 'after', records })
      },
    }),
  }
  return recording
}
