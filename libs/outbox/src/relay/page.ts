import { forEachBinaryRow } from '@rollcall/database'
import type { OutgoingRecord } from '@rollcall/kafka'

/** Messages read together, in id order, split by topic. */
export interface Page {
  readonly rows: number
  /** Highest id on the page; 0 when it is empty. */
  readonly lastId: number
  readonly topics: ReadonlyMap<string, TopicBatch>
}

/** One topic's part of a page; `ids[i]` is the outbox id of `records[i]`. */
export interface TopicBatch {
  readonly records: RoutableRecord[]
  readonly ids: number[]
}

/** An `OutgoingRecord` whose partition is filled in once the topic's partition count is known. */
export type RoutableRecord = { -readonly [Field in keyof OutgoingRecord]: OutgoingRecord[Field] }

/** The columns `parsePage` expects, in this order. */
export const PAGE_COLUMNS = 'id, created_at, topic, record'

/**
 * Reads a binary COPY page of `PAGE_COLUMNS`. The bodies are views of `bytes`: nothing is copied between the socket
 * and the Kafka request.
 */
export function parsePage(bytes: Buffer): Page {
  const topics = new Map<string, TopicBatch>()
  let lastId = 0
  let topicBytes: Buffer | undefined
  let batch: TopicBatch | undefined
  const rows = forEachBinaryRow(bytes, 4, (offset) => {
    // length(8) id, length(8) created_at, length topic, length record
    lastId = int8(bytes, offset + 4)
    const timestampMs = epochMs(int8(bytes, offset + 16))
    const topicLength = bytes.readInt32BE(offset + 24)
    const topicAt = offset + 28
    // One topic at a time is the common case: compare bytes instead of decoding the same text for each row.
    if (topicBytes === undefined || !sameBytes(topicBytes, bytes, topicAt, topicLength)) {
      topicBytes = bytes.subarray(topicAt, topicAt + topicLength)
      batch = batchOf(topics, topicBytes.toString('utf8'))
    }
    const bodyAt = topicAt + topicLength + 4
    const body = bytes.subarray(bodyAt, bodyAt + bytes.readInt32BE(bodyAt - 4))
    ;(batch as TopicBatch).records.push({ partition: -1, body, timestampMs })
    ;(batch as TopicBatch).ids.push(lastId)
  })
  return { rows, lastId, topics }
}

/** One row of the live tick: id, milliseconds, topic, record as hex; all text. */
export type LiveRow = readonly [id: string, atMs: string, topic: string, record: string]

/** Makes a page of live rows, which arrive in no order. */
export function pageOfRows(rows: LiveRow[]): Page {
  const topics = new Map<string, TopicBatch>()
  const ordered = rows.map((row) => ({ id: Number(row[0]), row })).sort((one, other) => one.id - other.id)
  for (const { id, row } of ordered) {
    const batch = batchOf(topics, row[2])
    batch.records.push({ partition: -1, body: Buffer.from(row[3].slice(2), 'hex'), timestampMs: Number(row[1]) })
    batch.ids.push(id)
  }
  return { rows: rows.length, lastId: ordered.at(-1)?.id ?? 0, topics }
}

/** The key inside a record body; undefined when the record has none. */
export function keyOf(body: Buffer): Buffer | undefined {
  let zigzag = 0
  let at = 0
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = body[at++]
    if (byte === undefined) return undefined
    zigzag |= (byte & 0x7f) << shift
    if (byte < 0x80) {
      const length = (zigzag >>> 1) ^ -(zigzag & 1)
      return length < 0 || at + length > body.length ? undefined : body.subarray(at, at + length)
    }
  }
  return undefined
}

function batchOf(topics: Map<string, TopicBatch>, topic: string): TopicBatch {
  let batch = topics.get(topic)
  if (batch === undefined) {
    batch = { records: [], ids: [] }
    topics.set(topic, batch)
  }
  return batch
}

// Below 2^53, so two 32-bit halves are exact; a BigInt for each row would cost more than the rest of the row.
function int8(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4)
}

const POSTGRES_EPOCH_MS = Date.UTC(2000, 0, 1)

function epochMs(microsecondsSince2000: number): number {
  return Math.floor(microsecondsSince2000 / 1_000) + POSTGRES_EPOCH_MS
}

function sameBytes(known: Buffer, bytes: Buffer, at: number, length: number): boolean {
  return known.length === length && known.compare(bytes, at, at + length) === 0
}
