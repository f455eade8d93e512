import { KafkaClientClosedError, KafkaUnreachableError } from '../errors/kafka-errors.js'
import type { Cluster } from '../kafkajs/internals.js'
import type { KafkaMetrics } from '../metrics.js'
import type { OutgoingRecord } from '../record.js'
import { type Round, toRounds } from './send-rounds.js'
import { checkPartitions, earlierSendFailed, nameFailure, toStockMessage } from './sending.js'

/** Who writes, as brokers see it. */
export interface ProducerToken {
  /** From `KafkaClient.newProducerId()`; decimal digits. */
  readonly id: string
  /** 0 to 32767. In each partition brokers refuse what bears an epoch below the highest they have seen of this id. */
  readonly epoch: number
}

export interface FencedProducer {
  /** Connects ahead of the first `send()`. */
  connect(): Promise<void>
  /**
   * Sends once, without trying again, and resolves with the offset of the first record in each partition. After a
   * rejection some of the records may be in the log and this producer sends nothing more: go on with a higher epoch.
   *
   * @throws KafkaProducerFencedError when a higher epoch wrote to a partition, KafkaUnreachableError (retryable),
   * TopicMissingError, RecordTooLargeError, KafkaAuthorizationDeniedError
   */
  send(topic: string, records: readonly OutgoingRecord[]): Promise<ReadonlyMap<number, number>>
  close(): Promise<void>
}

export interface FencedProducerTools {
  readonly openCluster: () => Cluster
  readonly metrics: KafkaMetrics
  /** False: records are turned into kafkajs messages and encoded by its own encoder. */
  readonly fastEncoder: boolean
  readonly maxBatchBytes: number
}

/**
 * An idempotent producer whose id and epoch are the caller's. kafkajs takes both from the broker, a new id each time, so
 * that two processes can never fence each other; here they share the id, and the one with the higher epoch wins, in the
 * broker, whatever the other one still has on its way. Kafka lets a producer without transactions raise its epoch by
 * itself (KIP-360). No retries in here: a retry that outlives the caller's right to send is what this is to prevent.
 */
export function createFencedProducer(token: ProducerToken, tools: FencedProducerTools): FencedProducer {
  const { metrics } = tools
  const sequences = new Map<string, number>()
  let cluster: Promise<Cluster> | undefined
  let tail: Promise<unknown> = Promise.resolve()
  let hasFailed = false
  let isClosed = false

  const connected = (): Promise<Cluster> => {
    cluster ??= connectCluster(tools.openCluster())
    return cluster
  }

  const produceTo = async (open: Cluster, nodeId: string, topic: string, partitions: number[], round: Round) => {
    const broker = await open.findBroker({ nodeId })
    const answer = await broker.produce({
      producerId: token.id,
      producerEpoch: token.epoch,
      acks: -1,
      timeout: 10_000,
      compression: 0,
      topicData: [
        {
          topic,
          partitions: partitions.map((partition) => {
            const records = round.get(partition) ?? []
            return {
              partition,
              firstSequence: nextSequence(sequences, `${topic} ${partition}`, records.length),
              messages: tools.fastEncoder ? records : records.map(toStockMessage),
            }
          }),
        },
      ],
    })
    return answer.topics.flatMap((one) => one.partitions)
  }

  const sendRound = async (topic: string, round: Round, firsts: Map<number, number>) => {
    const open = await connected()
    await open.addTargetTopic(topic)
    await open.refreshMetadataIfNecessary()
    const byLeader = Object.entries(open.findLeaderForPartitions(topic, [...round.keys()]))
    // All are waited for, also after one failed: what is answered cannot land later.
    const answers = await Promise.allSettled(
      byLeader.map(([nodeId, partitions]) => produceTo(open, nodeId, topic, partitions, round)),
    )
    for (const answer of answers) if (answer.status === 'rejected') throw answer.reason
    const covered = new Set<number>()
    for (const { partition, baseOffset } of answers.flatMap((answer) => (answer as Fulfilled).value)) {
      covered.add(partition)
      if (!firsts.has(partition)) firsts.set(partition, Number(baseOffset))
    }
    const missing = [...round.keys()].filter((partition) => !covered.has(partition))
    if (missing.length > 0) {
      throw new KafkaUnreachableError('sending', new Error('partitions stayed unsent'), { topic, partitions: missing })
    }
  }
  type Fulfilled = PromiseFulfilledResult<Awaited<ReturnType<typeof produceTo>>>

  const sendNow = async (topic: string, records: readonly OutgoingRecord[]) => {
    const stopTimer = metrics.sendSeconds.startTimer({ topic })
    const firsts = new Map<number, number>()
    let round: Round = new Map()
    try {
      const open = await connected()
      await checkPartitions(topic, records, async () => {
        await open.addTargetTopic(topic)
        await open.refreshMetadataIfNecessary()
        return open.findTopicPartitionMetadata(topic).length
      })
      for (round of toRounds(records, tools.maxBatchBytes)) await sendRound(topic, round, firsts)
    } catch (error) {
      hasFailed = true
      const named = nameFailure(error, topic, round)
      metrics.sendFailures.inc({ topic, code: named.code })
      throw named
    }
    stopTimer()
    metrics.recordsSent.inc({ topic }, records.length)
    metrics.bytesSent.inc(
      { topic },
      records.reduce((sum, { body }) => sum + body.length, 0),
    )
    return firsts
  }

  return {
    async connect() {
      if (isClosed) throw new KafkaClientClosedError('producer')
      await connected().catch((error: unknown) => {
        hasFailed = true
        throw nameFailure(error, undefined, new Map())
      })
    },
    send(topic, records) {
      if (isClosed) return Promise.reject(new KafkaClientClosedError('producer'))
      if (records.length === 0) return Promise.resolve(new Map())
      const turn = tail.then(() => {
        if (hasFailed) throw earlierSendFailed(topic)
        return sendNow(topic, records)
      })
      tail = turn.catch(() => undefined)
      return turn
    },
    async close() {
      isClosed = true
      await tail
      await cluster?.then((open) => open.disconnect()).catch(() => undefined)
    },
  }
}

// Sequence numbers wrap around to 0 after 2^31 - 1.
function nextSequence(sequences: Map<string, number>, partition: string, records: number): number {
  const first = sequences.get(partition) ?? 0
  sequences.set(partition, (first + records) % 2 ** 31)
  return first
}

async function connectCluster(cluster: Cluster): Promise<Cluster> {
  try {
    await cluster.connect()
    return cluster
  } catch (error) {
    await cluster.disconnect().catch(() => undefined)
    throw error
  }
}
