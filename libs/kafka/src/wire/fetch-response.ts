import {
  Decoder,
  decodeStockMessages,
  type FetchPartition,
  type FetchResponse,
  type StockMessage,
} from '../kafkajs/internals.js'
import type { KafkaRecord } from '../record.js'
import { findHeader, readHeaders } from '../record-body.js'
import { type Cursor, readVarint, readVarlong } from './varint.js'

/**
 * Decodes a Fetch response, version 11. Records are parsed where they lie; of a record only the places of its parts are
 * noted, and its buffers and headers are made when asked for. A partition with compressed, transactional or control
 * batches, or with the format before v2, goes through the stock decoder.
 */
export async function decodeFetchResponse(raw: Buffer): Promise<FetchResponse> {
  const reader = new Reader(raw)
  const clientSideThrottleTime = reader.int32()
  const errorCode = reader.int16()
  const sessionId = reader.int32()
  const responses: { topicName: string; partitions: FetchPartition[] }[] = []
  for (let topics = reader.int32(); topics > 0; topics--) {
    const topicName = reader.text()
    const partitions: FetchPartition[] = []
    for (let left = reader.int32(); left > 0; left--) partitions.push(await readPartition(reader))
    responses.push({ topicName, partitions })
  }
  return { throttleTime: 0, clientSideThrottleTime, errorCode, sessionId, responses }
}

/**
 * The records of one partition in a fetch, as kafkajs's Batch gets them. Batch filters its messages twice: at or after the
 * offset fetched? not a control record? For plain record batches both are answered "no" by a head of the list only
 * (a fetch can start inside a record batch), so nothing has to be copied.
 */
export class FetchedRecords {
  readonly records: readonly FetchedRecord[]
  /** The offset after the last whole record batch; undefined when there was none. */
  readonly nextOffset: number | undefined

  constructor(records: readonly FetchedRecord[], nextOffset: number | undefined) {
    this.records = records
    this.nextOffset = nextOffset
  }

  get length(): number {
    return this.records.length
  }

  filter(keep: (record: FetchedRecord) => unknown): FetchedRecords {
    const { records } = this
    let first = 0
    while (first < records.length && !keep(records[first] as FetchedRecord)) first++
    return first === 0 ? this : new FetchedRecords(records.slice(first), this.nextOffset)
  }
}

/** A record that is still bytes. */
export class FetchedRecord implements KafkaRecord {
  readonly offset: number
  readonly timestampMs: number
  private readonly bytes: Buffer
  private readonly keyAt: number
  private readonly keyLength: number
  private readonly valueAt: number
  private readonly valueLength: number
  private readonly headersAt: number
  private parsedHeaders: Readonly<Record<string, Buffer>> | undefined

  constructor(cursor: RecordCursor, offset: number, timestampMs: number) {
    this.offset = offset
    this.timestampMs = timestampMs
    this.bytes = cursor.bytes
    this.keyLength = readVarint(cursor)
    this.keyAt = cursor.at
    if (this.keyLength > 0) cursor.at += this.keyLength
    this.valueLength = readVarint(cursor)
    this.valueAt = cursor.at
    if (this.valueLength > 0) cursor.at += this.valueLength
    this.headersAt = cursor.at
    this.parsedHeaders = undefined
  }

  get key(): Buffer | null {
    return this.keyLength < 0 ? null : this.bytes.subarray(this.keyAt, this.keyAt + this.keyLength)
  }

  get value(): Buffer | null {
    return this.valueLength < 0 ? null : this.bytes.subarray(this.valueAt, this.valueAt + this.valueLength)
  }

  get headers(): Readonly<Record<string, Buffer>> {
    this.parsedHeaders ??= readHeaders({ bytes: this.bytes, at: this.headersAt })
    return this.parsedHeaders
  }

  findHeader(name: string): Buffer | undefined {
    return this.parsedHeaders === undefined
      ? findHeader({ bytes: this.bytes, at: this.headersAt }, name)
      : this.parsedHeaders[name]
  }
}

interface RecordCursor extends Cursor {
  readonly bytes: Buffer
}

async function readPartition(reader: Reader): Promise<FetchPartition> {
  const partition = reader.int32()
  const errorCode = reader.int16()
  const highWatermark = reader.int64Text()
  const lastStableOffset = reader.int64Text()
  const lastStartOffset = reader.int64Text()
  const abortedTransactions: { producerId: string; firstOffset: string }[] = []
  for (let left = reader.int32(); left > 0; left--) {
    abortedTransactions.push({ producerId: reader.int64Text(), firstOffset: reader.int64Text() })
  }
  const preferredReadReplica = reader.int32()
  const start = reader.at
  const size = reader.int32()
  const set = reader.bytes.subarray(reader.at, reader.at + Math.max(size, 0))
  reader.at += Math.max(size, 0)
  const batches = findBatches(set)
  const messages = batches.every((batch) => batch.isPlain)
    ? (readRecords(set, batches) as unknown as StockMessage[])
    : await decodeStock(reader.bytes.subarray(start, reader.at), batches)
  return {
    partition,
    errorCode,
    highWatermark,
    lastStableOffset,
    lastStartOffset,
    abortedTransactions,
    preferredReadReplica,
    messages,
  }
}

async function decodeStock(sized: Buffer, batches: readonly FoundBatch[]): Promise<StockMessage[]> {
  const messages = await decodeStockMessages(new Decoder(sized))
  return Object.assign(messages, { nextOffset: endOf(batches) })
}

interface FoundBatch {
  readonly at: number
  readonly baseOffset: number
  /** Undefined for the formats before v2. */
  readonly nextOffset: number | undefined
  readonly isPlain: boolean
}

/** The whole record batches of a record set; the last one may be cut off by the fetch's byte limit and is left out. */
function findBatches(set: Buffer): FoundBatch[] {
  const batches: FoundBatch[] = []
  for (let at = 0; at + MAGIC_AT < set.length; ) {
    const end = at + 12 + set.readInt32BE(at + 8)
    if (end > set.length) break
    const isV2 = set[at + MAGIC_AT] === 2
    const baseOffset = readInt64(set, at)
    batches.push({
      at,
      baseOffset,
      nextOffset: isV2 ? baseOffset + set.readInt32BE(at + LAST_OFFSET_DELTA_AT) + 1 : undefined,
      isPlain: isV2 && (set.readInt16BE(at + ATTRIBUTES_AT) & NOT_PLAIN) === 0,
    })
    at = end
  }
  return batches
}

function endOf(batches: readonly FoundBatch[]): number | undefined {
  return batches[batches.length - 1]?.nextOffset
}

function readRecords(set: Buffer, batches: readonly FoundBatch[]): FetchedRecords {
  const records: FetchedRecord[] = []
  const cursor: RecordCursor = { bytes: set, at: 0 }
  for (const { at, baseOffset } of batches) {
    const usesAppendTime = (set.readInt16BE(at + ATTRIBUTES_AT) & LOG_APPEND_TIME) !== 0
    const firstTimestampMs = readInt64(set, at + FIRST_TIMESTAMP_AT)
    const appendTimeMs = readInt64(set, at + FIRST_TIMESTAMP_AT + 8)
    const count = set.readInt32BE(at + COUNT_AT)
    cursor.at = at + COUNT_AT + 4
    for (let index = 0; index < count; index++) {
      const size = readVarint(cursor)
      const end = cursor.at + size
      cursor.at++ // attributes, unused
      const timestampMs = firstTimestampMs + readVarlong(cursor)
      const offset = baseOffset + readVarint(cursor)
      records.push(new FetchedRecord(cursor, offset, usesAppendTime ? appendTimeMs : timestampMs))
      cursor.at = end
    }
  }
  return new FetchedRecords(records, endOf(batches))
}

class Reader {
  readonly bytes: Buffer
  at = 0

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  int16(): number {
    this.at += 2
    return this.bytes.readInt16BE(this.at - 2)
  }

  int32(): number {
    this.at += 4
    return this.bytes.readInt32BE(this.at - 4)
  }

  int64Text(): string {
    this.at += 8
    return String(readInt64(this.bytes, this.at - 8))
  }

  text(): string {
    const length = this.int16()
    this.at += length
    return this.bytes.toString('utf8', this.at - length, this.at)
  }
}

/** Exact up to 2^53; an offset or a time in milliseconds never gets there. */
function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4)
}

// Places in a record batch: base offset 8, length 4, leader epoch 4, magic 1, crc 4, attributes 2, last offset delta 4,
// first timestamp 8, max timestamp 8, producer id 8, epoch 2, first sequence 4, count 4.
const MAGIC_AT = 16
const ATTRIBUTES_AT = 21
const LAST_OFFSET_DELTA_AT = 23
const FIRST_TIMESTAMP_AT = 27
const COUNT_AT = 57
const LOG_APPEND_TIME = 0x08
/** Compression (three bits), transactional, control. */
const NOT_PLAIN = 0x07 | 0x10 | 0x20
