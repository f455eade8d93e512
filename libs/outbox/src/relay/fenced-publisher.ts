import { createHash } from 'node:crypto'
import type { Sql } from '@rollcall/database'
import { errorCode } from '@rollcall/errors'
import { encodeRecordBody, type FencedProducer, type OutgoingRecord } from '@rollcall/kafka'
import { type Logger, step } from '@rollcall/observability'
import { OutboxDatabaseChangedError, OutboxPartitionsChangedError } from '../errors.js'
import { countInOutbox } from './count-in-outbox.js'
import type { PublisherSource } from './publisher.js'
import type { RelayMetrics } from './relay-metrics.js'
import { storeTopicStart, type Term, takeProducerEpoch } from './relay-state.js'
import { type TopicOffsets, withTopic } from './topic-offsets.js'

export interface FencedPublisherOptions {
  readonly kafka: PublisherSource
  readonly sql: Sql
  readonly term: Term
  readonly logger: Logger
  readonly metrics: Pick<RelayMetrics, 'alreadyThere' | 'repeated' | 'topicLost'>
}

/**
 * The topics as one term of leadership writes them. Before it writes to a topic it reads what earlier terms, or a send of
 * its own that failed, left there unaccounted for, and leaves those records out.
 */
export interface FencedPublisher {
  /**
   * Connects ahead of the first send, proves the lead, and looks at the topics: a database that is older than they are is
   * refused before anything new is written. @throws OutboxDatabaseChangedError
   */
  connect(): Promise<void>
  /** Partitions of the topic; the first time ever, notes where the topic ends before anything is sent to it. */
  partitionCount(topic: string): Promise<number>
  /** Resolves when all records are in the topic. After a rejection call it again with the same records. @throws RelayFencedError */
  send(topic: string, records: readonly OutgoingRecord[]): Promise<void>
  /** Sends the records although the topic may hold them. */
  sendAgain(topic: string, records: readonly OutgoingRecord[]): Promise<void>
  /** Everything that was unshipped when the term began has been handed to `send`: what was found is accounted for. */
  settle(): void
  /** Offsets to store with the position of everything sent so far. */
  offsets(): TopicOffsets
  close(): Promise<void>
}

export function createFencedPublisher(options: FencedPublisherOptions): FencedPublisher {
  const { kafka, sql, term, logger, metrics } = options
  let offsets = term.position.offsets
  let opening: Promise<FencedProducer> | undefined
  // Per producer epoch: the topics whose end was compared with what is accounted for.
  let begun = new Set<string>()
  let producerId = -1
  // What the topics hold and `send` was not yet asked for; until it was, the stored offsets must stay before it.
  const found = new Map<string, Found>()

  const open = async (): Promise<FencedProducer> => {
    const cluster = await kafka.clusterId()
    const taken = await takeProducerEpoch(sql, term.epoch, cluster, kafka.newProducerId)
    if (offsets.cluster !== cluster) {
      if (offsets.cluster !== null) logger.warn({ was: offsets.cluster, is: cluster }, 'Kafka is another cluster now')
      offsets = { cluster, topics: {} }
      found.clear()
    }
    logger.debug({ epoch: term.epoch, producerId: taken.id, producerEpoch: taken.epoch }, 'relay has a producer epoch')
    begun = new Set()
    producerId = Number(taken.id)
    const producer = kafka.fencedProducer(taken)
    await producer.connect()
    return producer
  }

  const opened = (): Promise<FencedProducer> => {
    if (opening === undefined) {
      const attempt = open()
      opening = attempt
      attempt.catch(() => {
        if (opening === attempt) opening = undefined
      })
    }
    return opening
  }

  // Once it failed, a producer sends nothing more; what it did send is looked for under the next epoch.
  const discard = async () => {
    const old = opening
    opening = undefined
    await old?.then((producer) => producer.close()).catch(() => undefined)
  }

  let turn: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(act: () => Promise<T>): Promise<T> => {
    const mine = turn.then(act)
    turn = mine.catch(() => undefined)
    return mine
  }

  const begin = async (topic: string): Promise<void> => {
    const ends = endsIn(await kafka.offsets(topic))
    const known = offsets.topics[topic] ?? ends
    const lost = ends.flatMap((end, partition) => (end < (known[partition] ?? 0) ? [partition] : []))
    if (lost.length > 0) {
      metrics.topicLost(topic)
      logger.error(
        { topic, partitions: lost, ends, expected: known },
        'topic ends before what Kafka acknowledged: it lost records or was made anew; send them again with rollcall outbox republish',
      )
    }
    await findOwn(topic, known, ends)
    offsets = withTopic(offsets, topic, ends)
    begun.add(topic)
  }

  // What our producer id wrote between the offsets; what anybody else put on the topic is none of ours.
  const findOwn = async (topic: string, from: readonly number[], until: readonly number[]): Promise<number> => {
    const partitions = until.flatMap((end, partition) => (end > (from[partition] ?? 0) ? [partition] : []))
    if (partitions.length === 0) return 0
    const bodies: Buffer[] = []
    await kafka.readTopic({
      topic,
      partitions,
      from: new Map(partitions.map((partition) => [partition, from[partition] ?? 0])),
      until: new Map(partitions.map((partition) => [partition, until[partition] ?? 0])),
      onBatch({ records }) {
        for (const { key, value, headers, producerId: writer } of records) {
          if (writer === producerId) bodies.push(encodeRecordBody({ key, value, headers }))
        }
        // More than a leader can send in its lease: reading on would only fill the memory before the same answer.
        if (bodies.length > MOST_UNACCOUNTED) throw foreign(topic, `more than ${MOST_UNACCOUNTED}`)
      },
    })
    if (bodies.length === 0) return 0
    const strangers = bodies.length - (await countInOutbox(sql, bodies))
    if (strangers > 0) throw foreign(topic, String(strangers))
    const before = found.get(topic)
    const counts = before?.counts ?? new Map<string, number>()
    for (const body of bodies) {
      const name = nameOf(body)
      counts.set(name, (counts.get(name) ?? 0) + 1)
    }
    found.set(topic, { counts, accounted: before?.accounted ?? from })
    logger.info({ topic, records: bodies.length }, 'relay found records of an earlier attempt in the topic')
    return bodies.length
  }

  const claim = (topic: string, records: readonly OutgoingRecord[]): readonly OutgoingRecord[] => {
    const there = found.get(topic)
    if (there === undefined) return records
    const missing = records.filter(({ body }) => {
      const name = nameOf(body)
      const count = there.counts.get(name)
      if (count === undefined) return true
      if (count === 1) there.counts.delete(name)
      else there.counts.set(name, count - 1)
      return false
    })
    if (there.counts.size === 0) found.delete(topic)
    metrics.alreadyThere(records.length - missing.length)
    return missing
  }

  const produce = async (producer: FencedProducer, topic: string, records: readonly OutgoingRecord[]) => {
    const expected = offsets.topics[topic] ?? []
    step('relay.sending')
    const firsts = await producer.send(topic, records)
    step('relay.sent')
    const next = [...expected]
    for (const [partition, first] of firsts) next[partition] = first
    offsets = withTopic(offsets, topic, [...next])
    // A request of a former relay may have come in after the look and before our first record, which shut that relay out.
    // It stands before ours and holds the next records in order: ours repeat them, nothing is out of order. Where later
    // pages hold some of them too, they are left out there.
    if ((await findOwn(topic, expected, next)) > 0) metrics.repeated(topic)
    for (const { partition } of records) next[partition] = (next[partition] ?? 0) + 1
    offsets = withTopic(offsets, topic, next)
  }

  const attempt = async (topic: string, act: (producer: FencedProducer) => Promise<void> | undefined) => {
    try {
      const producer = await opened()
      if (!begun.has(topic)) await begin(topic)
      await act(producer)
    } catch (error) {
      await discard()
      throw await namedIfNewer(error, sql, term)
    }
  }

  return {
    connect: () =>
      inTurn(async () => {
        await opened()
        for (const topic of Object.keys(offsets.topics)) await begin(topic)
        // Looked at once more right before the first send: a former relay may still be sending meanwhile.
        begun.clear()
      }),
    partitionCount: (topic) =>
      inTurn(async () => {
        await opened()
        const counts = await kafka.offsets(topic)
        const ends = endsIn(counts)
        const expected = term.partitionCounts[topic]
        if (expected !== undefined && expected !== ends.length) {
          throw new OutboxPartitionsChangedError(topic, expected, ends.length)
        }
        if (offsets.topics[topic] === undefined) {
          if (expected === undefined && !term.mayAdoptTopics && counts.some(({ low, high }) => high > low)) {
            throw new OutboxDatabaseChangedError(
              `topic ${topic} holds records already, and this outbox has never written to it`,
              { topic },
            )
          }
          await storeTopicStart(sql, term.epoch, topic, ends)
          offsets = withTopic(offsets, topic, ends)
        }
        return ends.length
      }),
    send: (topic, records) =>
      inTurn(() =>
        attempt(topic, (producer) => {
          const missing = claim(topic, records)
          return missing.length === 0 ? undefined : produce(producer, topic, missing)
        }),
      ),
    sendAgain: (topic, records) => inTurn(() => attempt(topic, (producer) => produce(producer, topic, records))),
    settle: () => found.clear(),
    offsets() {
      let safe = offsets
      for (const [topic, { accounted }] of found) safe = withTopic(safe, topic, accounted)
      return safe
    },
    close: discard,
  }
}

function endsIn(counts: readonly { readonly partition: number; readonly high: number }[]): number[] {
  const ends: number[] = []
  for (const { partition, high } of counts) ends[partition] = high
  return ends
}

interface Found {
  readonly counts: Map<string, number>
  /** The offsets before the first of them. */
  readonly accounted: readonly number[]
}

/** A leader stores its position every 50 ms or page, and stops sending when it could not for a lease of 3 s. */
const MOST_UNACCOUNTED = 2_000_000

const foreign = (topic: string, count: string) =>
  new OutboxDatabaseChangedError(
    `topic ${topic} holds ${count} messages that this relay's position does not account for and this database does not have`,
    { topic },
  )

// The brokers know a later epoch of our producer id, and the database still says that ours is the newest: its state is
// older than the topic. If another relay took over instead, the database says so and that is thrown.
async function namedIfNewer(error: unknown, sql: Sql, { epoch }: Term): Promise<unknown> {
  if (errorCode(error) !== 'ERR_KAFKA_PRODUCER_FENCED') return error
  const { facts } = error as { facts?: { protocolCode?: string } }
  if (facts?.protocolCode !== undefined && facts.protocolCode !== 'INVALID_PRODUCER_EPOCH') return error
  const { rowCount } = await sql.query('SELECT FROM outbox.relay WHERE epoch = $1', [epoch])
  if (rowCount !== 1) return error
  return new OutboxDatabaseChangedError('the brokers have records of a later relay than this database knows', { epoch })
}

const nameOf = (body: Buffer): string => createHash('sha1').update(body).digest('base64')
