import type { Logger } from '@rollcall/observability'
import { KafkaUnreachableError, TopicMissingError } from './errors/kafka-errors.js'
import { toKafkaError } from './errors/to-kafka-error.js'
import { type Cluster, FetchedBatch, READ_COMMITTED } from './kafkajs/internals.js'
import { listOffsets } from './list-offsets.js'
import type { KafkaRecord } from './record.js'
import { nextOffsetAfter, toRecords } from './stock-record.js'

export interface ReadTopicOptions {
  readonly topic: string
  /** First offset per partition; a partition left out of the map starts at its low watermark. @default 'beginning' */
  readonly from?: 'beginning' | ReadonlyMap<number, number>
  /** Exclusive end per partition; 'end', and a partition left out, is the high watermark when the call began. @default 'end' */
  readonly until?: 'end' | ReadonlyMap<number, number>
  /** @default all */
  readonly partitions?: readonly number[]
  /** Called in offset order per partition, one batch at a time; the next fetch runs meanwhile. */
  onBatch(batch: TopicSlice): void | Promise<void>
  readonly signal?: AbortSignal
  /** @default 1 MiB */
  readonly maxBytesPerPartition?: number
}

/** Records of one partition in offset order, none at or after the end asked for; never empty. */
export interface TopicSlice {
  readonly topic: string
  readonly partition: number
  readonly records: readonly KafkaRecord[]
  /** The offset to read on from after this slice. */
  readonly nextOffset: number
  readonly highWatermark: number
}

export interface ReadTopicResult {
  readonly records: number
  /** Partition to the offset to read on from: every record before it was handed out. */
  readonly positions: ReadonlyMap<number, number>
}

export interface ReadTopicTools {
  readonly openCluster: () => Cluster
  /** Limit of one response; which one it is chooses the decoder (see fast-wire.ts). */
  readonly maxBytes: number
  readonly logger: Logger
}

/**
 * See `KafkaClient.readTopic`. It ends by position, not by count: retention, compaction, aborted transactions and their
 * markers leave offsets without records.
 */
export async function readTopic(
  options: ReadTopicOptions,
  { openCluster, maxBytes, logger }: ReadTopicTools,
): Promise<ReadTopicResult> {
  const { topic, signal } = options
  const cluster = openCluster()
  try {
    await cluster.connect()
    await cluster.addTargetTopic(topic)
    const spans = await spansOf(cluster, options)
    let records = 0
    let failures = 0
    let handing: Promise<unknown> = Promise.resolve()
    const handOut = (slice: TopicSlice) => {
      records += slice.records.length
      handing = handing.then(() => {
        signal?.throwIfAborted()
        return options.onBatch(slice)
      })
      return handing
    }
    while (spans.some(isOpen)) {
      signal?.throwIfAborted()
      await cluster.refreshMetadataIfNecessary()
      const open = new Map(spans.filter(isOpen).map((span) => [span.partition, span]))
      const byLeader = Object.entries(cluster.findLeaderForPartitions(topic, [...open.keys()]))
      try {
        await Promise.all(
          byLeader.map(([nodeId, partitions]) =>
            readFromLeader(
              cluster,
              nodeId,
              partitions.flatMap((partition) => open.get(partition) ?? []),
              { ...options, maxBytes },
              async (slice) => {
                failures = 0
                await handOut(slice)
              },
            ),
          ),
        )
      } catch (error) {
        if (!(error instanceof FetchFailure) || ++failures > MAX_FAILURES)
          throw error instanceof FetchFailure ? error.cause : error
        logger.debug({ topic, reason: String(error.cause), failures }, 'reading a topic failed, trying again')
        await sleep(Math.min(50 * 2 ** failures, 1_000))
        await recover(cluster, error.cause, spans, topic)
      }
    }
    await handing
    return { records, positions: new Map(spans.map(({ partition, position }) => [partition, position])) }
  } catch (error) {
    signal?.throwIfAborted()
    throw isFromKafka(error) ? toKafkaError(error, { doing: 'reading a topic', topic }) : error
  } finally {
    await cluster.disconnect().catch(() => undefined)
  }
}

/** Failures in a row, up to 1 s apart, before reading is given up: longer than the change of a leader takes. */
const MAX_FAILURES = 15

interface Span {
  readonly partition: number
  position: number
  readonly end: number
}

const isOpen = ({ position, end }: Span) => position < end

async function spansOf(cluster: Cluster, options: ReadTopicOptions): Promise<Span[]> {
  const { topic, from = 'beginning', until = 'end' } = options
  const all = cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId)
  if (all.length === 0) throw new TopicMissingError(topic)
  const wanted = options.partitions ?? all
  for (const partition of wanted) {
    if (!all.includes(partition)) throw new TopicMissingError(topic, undefined, partition)
  }
  const low = await listOffsets(cluster, topic, wanted, 'first')
  const high = await listOffsets(cluster, topic, wanted, 'end')
  return wanted.map((partition) => {
    const lowest = low.get(partition) ?? 0
    const start = from === 'beginning' ? lowest : Math.max(from.get(partition) ?? lowest, lowest)
    const end = until === 'end' ? undefined : until.get(partition)
    return { partition, position: start, end: end ?? high.get(partition) ?? 0 }
  })
}

/** Reads until its spans end. The next request is on its way while the records of the last are handled. */
async function readFromLeader(
  cluster: Cluster,
  nodeId: string,
  spans: readonly Span[],
  { topic, signal, maxBytesPerPartition = 1_048_576, maxBytes }: ReadTopicOptions & { maxBytes: number },
  handOut: (slice: TopicSlice) => Promise<void>,
): Promise<void> {
  let pending: Promise<TopicSlice[]> | undefined
  for (;;) {
    pending ??= fetchSlices(cluster, nodeId, spans, { topic, maxBytesPerPartition, maxBytes })
    const slices = await pending
    signal?.throwIfAborted()
    pending = spans.some(isOpen)
      ? fetchSlices(cluster, nodeId, spans, { topic, maxBytesPerPartition, maxBytes })
      : undefined
    // Without a handler of its own a failure during the hand-out would be an unhandled rejection.
    pending?.catch(() => undefined)
    for (const slice of slices) await handOut(slice)
    if (pending === undefined) return
  }
}

async function fetchSlices(
  cluster: Cluster,
  nodeId: string,
  spans: readonly Span[],
  { topic, maxBytesPerPartition, maxBytes }: { topic: string; maxBytesPerPartition: number; maxBytes: number },
): Promise<TopicSlice[]> {
  const open = spans.filter(isOpen)
  try {
    const broker = await cluster.findBroker({ nodeId })
    const { responses } = await broker.fetch({
      maxWaitTime: 100,
      minBytes: 1,
      maxBytes,
      isolationLevel: READ_COMMITTED,
      rackId: '',
      topics: [
        {
          topic,
          partitions: open.map(({ partition, position }) => ({
            partition,
            fetchOffset: String(position),
            maxBytes: maxBytesPerPartition,
          })),
        },
      ],
    })
    const slices: TopicSlice[] = []
    for (const answer of responses.flatMap(({ partitions }) => partitions)) {
      const span = open.find(({ partition }) => partition === answer.partition)
      if (span === undefined) continue
      const batch = new FetchedBatch(topic, String(span.position), answer)
      const records = upTo(span.end, toRecords(batch.messages))
      // Not beyond the end: records that came meanwhile are in the answer, but are not handed out.
      span.position = Math.max(span.position, Math.min(nextOffsetAfter(batch) ?? 0, span.end))
      if (records.length > 0) {
        const { partition, position } = span
        slices.push({ topic, partition, records, nextOffset: position, highWatermark: Number(answer.highWatermark) })
      }
    }
    return slices
  } catch (error) {
    throw new FetchFailure(error)
  }
}

/** A failure of the fetch, not of the caller's handler: worth another try. */
class FetchFailure extends Error {
  constructor(cause: unknown) {
    super('fetch failed', { cause })
  }
}

async function recover(cluster: Cluster, cause: unknown, spans: readonly Span[], topic: string): Promise<void> {
  const { name, type, host, port } = cause as { name?: string; type?: string; host?: string; port?: number }
  if (name === 'KafkaJSConnectionClosedError' && host !== undefined && port !== undefined) {
    cluster.removeBroker({ host, port })
  }
  try {
    if (!cluster.isConnected()) await cluster.connect()
    await cluster.refreshMetadata()
    if (type !== 'OFFSET_OUT_OF_RANGE') return
    // Retention moved the start of the log past us, or the log ends before us.
    const open = spans.filter(isOpen)
    const partitions = open.map(({ partition }) => partition)
    const low = await listOffsets(cluster, topic, partitions, 'first')
    for (const span of open) span.position = Math.max(span.position, low.get(span.partition) ?? 0)
  } catch (error) {
    if (isRefusal(error)) throw error
  }
}

function isRefusal(error: unknown): boolean {
  const { code } = toKafkaError(error, { doing: 'reading a topic' })
  return code !== new KafkaUnreachableError('', '').code && code !== 'ERR_KAFKA_REQUEST_FAILED'
}

function isFromKafka(error: unknown): boolean {
  return typeof (error as { name?: unknown } | null)?.name === 'string' && (error as Error).name.startsWith('KafkaJS')
}

function upTo(end: number, records: readonly KafkaRecord[]): readonly KafkaRecord[] {
  const last = records[records.length - 1]
  if (last === undefined || last.offset < end) return records
  return records.slice(
    0,
    records.findIndex(({ offset }) => offset >= end),
  )
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
