import type { Logger } from '@rollcall/observability'
import type { Kafka, Message, Producer } from 'kafkajs'
import { KafkaClientClosedError, KafkaUnreachableError } from '../errors/kafka-errors.js'
import type { KafkaMetrics } from '../metrics.js'
import type { OutgoingRecord } from '../record.js'
import type { KafkaProducer } from './producer.js'
import { type Round, toRounds } from './send-rounds.js'
import { checkPartitions, earlierSendFailed, nameFailure, toStockMessage } from './sending.js'

export interface ProducerTools {
  readonly connect: () => Kafka
  readonly partitionCount: (topic: string) => Promise<number>
  readonly logger: Logger
  readonly metrics: KafkaMetrics
  /** False: records are turned into kafkajs messages and encoded by its own encoder. */
  readonly fastEncoder: boolean
  readonly maxBatchBytes: number
}

/** See `KafkaProducer`. Sends run one after the other: kafkajs can swap two when the first one is retried. */
export function createProducer(tools: ProducerTools): KafkaProducer {
  const { logger, metrics } = tools
  let current: Promise<Producer> | undefined
  let tail: Promise<unknown> = Promise.resolve()
  let failedSends = 0
  let isClosed = false

  const underlying = (): Promise<Producer> => {
    if (current === undefined) {
      const attempt = connectProducer(tools.connect())
      current = attempt
      attempt.catch(() => {
        if (current === attempt) current = undefined
      })
    }
    return current
  }

  // Not only after a fatal error: kafkajs steps the sequence numbers back after any failure, and if the records of the
  // failed send did reach the log, the broker would take the next records under the same numbers for repeats and drop
  // them with an acknowledgement. A new producer id makes that impossible.
  const discard = async () => {
    const old = current
    current = undefined
    await old?.then((producer) => producer.disconnect()).catch(() => undefined)
  }

  const sendRound = async (topic: string, round: Round) => {
    const producer = await underlying()
    let todo = round
    for (let attempt = 1; todo.size > 0; attempt++) {
      if (attempt > MAX_ROUNDS_UNCOVERED) {
        throw new KafkaUnreachableError('sending', new Error('partitions stayed unsent'), {
          topic,
          partitions: [...todo.keys()],
        })
      }
      const answers = await producer.send({ topic, acks: -1, timeout: 10_000, messages: messagesOf(todo, tools) })
      const covered = new Set(answers.map(({ partition }) => partition))
      const missing = new Map([...todo].filter(([partition]) => !covered.has(partition)))
      if (missing.size > 0) {
        const count = [...missing.values()].reduce((sum, list) => sum + list.length, 0)
        metrics.sendUncovered.inc({ topic }, count)
        logger.warn(
          { topic, partitions: [...missing.keys()], records: count },
          'kafkajs left records unsent, sending again',
        )
      }
      todo = missing
    }
  }

  const sendNow = async (topic: string, records: readonly OutgoingRecord[]) => {
    const stopTimer = metrics.sendSeconds.startTimer({ topic })
    let round: Round = new Map()
    try {
      await checkPartitions(topic, records, tools.partitionCount)
      for (round of toRounds(records, tools.maxBatchBytes)) await sendRound(topic, round)
    } catch (error) {
      failedSends++
      await discard()
      const named = nameFailure(error, topic, round)
      metrics.sendFailures.inc({ topic, code: named.code })
      throw named
    }
    stopTimer()
    metrics.recordsSent.inc({ topic }, records.length)
    let bytes = 0
    for (const { body } of records) bytes += body.length
    metrics.bytesSent.inc({ topic }, bytes)
  }

  return {
    async connect() {
      if (isClosed) throw new KafkaClientClosedError('producer')
      try {
        await underlying()
      } catch (error) {
        throw nameFailure(error, undefined, new Map())
      }
    },

    send(topic, records) {
      if (isClosed) return Promise.reject(new KafkaClientClosedError('producer'))
      if (records.length === 0) return Promise.resolve()
      const failedBefore = failedSends
      const turn = tail.then(() => {
        if (failedBefore !== failedSends) throw earlierSendFailed(topic)
        return sendNow(topic, records)
      })
      tail = turn.catch((error: unknown) => logger.debug({ topic, error }, 'a send failed'))
      return turn
    },

    partitionCount: tools.partitionCount,

    async close() {
      isClosed = true
      await tail
      await discard()
    },
  }
}

/** After this many answers in a row that left partitions out, something other than a moving leader is wrong. */
const MAX_ROUNDS_UNCOVERED = 10

// About 20 s: a leader that was killed is replaced in 1 to 12 s, depending on the broker's session timeout.
const SEND_RETRIES = 25

async function connectProducer(kafka: Kafka): Promise<Producer> {
  const producer = kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    retry: { initialRetryTime: 20, maxRetryTime: 1_000, multiplier: 2, factor: 0.2, retries: SEND_RETRIES },
    createPartitioner:
      () =>
      ({ message }) =>
        message.partition as number,
  })
  try {
    await producer.connect()
    return producer
  } catch (error) {
    await producer.disconnect().catch(() => undefined)
    throw error
  }
}

// kafkajs asks two things of its messages before they reach the encoder: `find`, for one without a value, and `reduce`,
// to group them by partition, copying a growing array per message. Answering both with the finished groups carries our
// records to the encoder untouched.
function messagesOf(round: Round, { fastEncoder }: ProducerTools): Message[] {
  const groups = fastEncoder
    ? Object.fromEntries(round)
    : Object.fromEntries([...round].map(([partition, records]) => [partition, records.map(toStockMessage)]))
  return { find: () => undefined, reduce: () => groups } as unknown as Message[]
}
