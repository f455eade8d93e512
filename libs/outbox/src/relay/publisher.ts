import type { FencedProducer, KafkaClient } from '@rollcall/kafka'

/** Where the relay sends, with what it has to ask there; a `KafkaClient` is one. */
export interface PublisherSource extends Pick<KafkaClient, 'clusterId' | 'newProducerId' | 'offsets' | 'readTopic'> {
  fencedProducer(token: { readonly id: string; readonly epoch: number }): FencedProducer
}
