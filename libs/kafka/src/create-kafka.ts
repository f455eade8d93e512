import type { Logger, Metrics } from '@rollcall/observability'
import type { KafkaClient } from './client.js'
import type { KafkaConfig } from './config.js'
import { createConsumer } from './consumer/create-consumer.js'
import { KafkaClientClosedError, TopicMissingError } from './errors/kafka-errors.js'
import { toKafkaError } from './errors/to-kafka-error.js'
import { connectKafkajs } from './kafkajs/connect.js'
import { type Cluster, openCluster } from './kafkajs/internals.js'
import { listOffsets } from './list-offsets.js'
import { declareMetrics } from './metrics.js'
import { createProducer } from './producer/create-producer.js'
import { createFencedProducer } from './producer/fenced-producer.js'
import { readTopic } from './read-topic.js'
import { applyTopics } from './topics/apply-topics.js'
import { verifyTopics } from './topics/verify-topics.js'
import { FAST_FETCH_BYTES, installFastWire, STOCK_FETCH_BYTES } from './wire/fast-wire.js'

export interface KafkaTools {
  readonly logger: Logger
  readonly metrics: Metrics
  /** False: this client encodes and decodes records with the code of kafkajs. @default true */
  readonly fastWire?: boolean
  /** Most bytes of one partition's records in a request; must stay below the topics' max.message.bytes. @default 900_000 */
  readonly maxBatchBytes?: number
}

/**
 * Makes a client; nothing is connected until it is used.
 *
 * @throws ConfigInvalidError when variables that belong together are not all there.
 */
export function createKafka(config: KafkaConfig, tools: KafkaTools): KafkaClient {
  const { logger } = tools
  const metrics = declareMetrics(tools.metrics)
  const wire = installFastWire()
  if (!wire.isInstalled) logger.warn({ reason: wire.reason }, 'kafkajs encodes and decodes records itself')
  const isFast = wire.isInstalled && tools.fastWire !== false
  const maxBytes = isFast ? FAST_FETCH_BYTES : STOCK_FETCH_BYTES
  metrics.fastEncoder.set(isFast ? 1 : 0)
  metrics.fastDecoder.set(isFast ? 1 : 0)

  // Few retries: whoever asks about topics or readiness wants the answer now. Producers wait longer (see there).
  const questions = connectKafkajs(config, logger, 3)
  let shared: Promise<Cluster> | undefined
  let isClosed = false

  const cluster = (): Promise<Cluster> => {
    if (isClosed) return Promise.reject(new KafkaClientClosedError('Kafka client'))
    if (shared === undefined) {
      const attempt = openConnected(() => openCluster(questions))
      shared = attempt
      attempt.catch(() => {
        if (shared === attempt) shared = undefined
      })
    }
    return shared
  }

  const named = async <T>(
    doing: string,
    topic: string | undefined,
    ask: (cluster: Cluster) => Promise<T>,
  ): Promise<T> => {
    try {
      const connected = await cluster()
      if (!connected.isConnected()) await connected.connect()
      return await ask(connected)
    } catch (error) {
      throw toKafkaError(error, topic === undefined ? { doing } : { doing, topic })
    }
  }

  const partitionsOf = async (connected: Cluster, topic: string): Promise<number[]> => {
    await connected.addTargetTopic(topic)
    await connected.refreshMetadataIfNecessary()
    const partitions = connected.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId)
    if (partitions.length === 0) throw new TopicMissingError(topic)
    return partitions.sort((a, b) => a - b)
  }

  const withAdmin = { kafka: questions, logger }

  return {
    producer: () =>
      createProducer({
        connect: () => connectKafkajs(config, logger, 12),
        partitionCount: (topic) =>
          named('looking up a topic', topic, async (connected) => (await partitionsOf(connected, topic)).length),
        logger,
        metrics,
        fastEncoder: isFast,
        maxBatchBytes: tools.maxBatchBytes ?? 900_000,
      }),

    fencedProducer: (token) =>
      createFencedProducer(token, {
        openCluster: () => openCluster(connectKafkajs(config, logger, 3)),
        metrics,
        fastEncoder: isFast,
        maxBatchBytes: tools.maxBatchBytes ?? 900_000,
      }),

    newProducerId: () =>
      named('asking for a producer id', undefined, async (connected) => {
        await connected.refreshMetadata()
        const broker = await connected.findControllerBroker()
        const { producerId } = await broker.initProducerId({ transactionalId: null, transactionTimeout: 30_000 })
        return String(producerId)
      }),

    clusterId: () =>
      named('asking for the cluster id', undefined, async (connected) => {
        const { clusterId } = await connected.metadata({ topics: [] })
        return clusterId
      }),

    consumer: (options) =>
      createConsumer(options, { kafka: connectKafkajs(config, logger, 5), maxBytes, logger, metrics }),

    readTopic: (options) =>
      readTopic(options, { openCluster: () => openCluster(connectKafkajs(config, logger, 5)), maxBytes, logger }),

    applyTopics: (specs, options) => applyTopics(specs, withAdmin, options),
    verifyTopics: (specs) => verifyTopics(specs, withAdmin),

    offsets: (topic) =>
      named('asking for offsets', topic, async (connected) => {
        const partitions = await partitionsOf(connected, topic)
        const low = await listOffsets(connected, topic, partitions, 'first')
        const high = await listOffsets(connected, topic, partitions, 'end')
        return partitions.map((partition) => ({
          partition,
          low: low.get(partition) ?? 0,
          high: high.get(partition) ?? 0,
        }))
      }),

    offsetsSince: (topic, timeMs) =>
      named('asking for offsets', topic, async (connected) => {
        const partitions = await partitionsOf(connected, topic)
        // The end first: what is written between the two questions must not fall between the two answers.
        const end = await listOffsets(connected, topic, partitions, 'end')
        const since = await listOffsets(connected, topic, partitions, { sinceMs: timeMs })
        return new Map([...end, ...since])
      }),

    ping: () => named('looking for a broker', undefined, (connected) => connected.refreshMetadata()),

    async close() {
      isClosed = true
      const open = shared
      shared = undefined
      await open
        ?.then((connected) => connected.disconnect())
        .catch((error: unknown) => logger.debug({ error }, 'closing the Kafka client failed'))
    },
  }
}

async function openConnected(open: () => Cluster): Promise<Cluster> {
  const cluster = open()
  try {
    await cluster.connect()
    return cluster
  } catch (error) {
    await cluster.disconnect().catch(() => undefined)
    throw error
  }
}
