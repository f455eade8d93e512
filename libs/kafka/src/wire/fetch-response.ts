import { RecordBatchUnreadableError } from '../errors/kafka-errors.js'
import {
  Decoder,
  decodeStockMessages,
  type FetchPartition,
  type FetchResponse,
  type StockMessage,
} from '../kafkajs/internals.js'
import type { KafkaRecord } from '../record.js'
import { findHeader, readHeaders } from '../record-body.js'
import { INFLATE_LIMITS, type InflateBudget, inflateBatches, type RefusedBatch } from './inflate-batches.js'
import {
  ATTRIBUTES_AT,
  COUNT_AT,
  endOf,
  FIRST_TIMESTAMP_AT,
  type FoundBatch,
  findBatches,
  MAX_TIMESTAMP_AT,
  PRODUCER_ID_AT,
  RECORDS_AT,
  readInt64,
} from './record-batches.js'
import { type Cursor, readVarint, readVarlong } from './varint.js'

/**
 * Decodes a Fetch response, version 11. Records are parsed where they lie; of a record only the places of its parts are
 * noted, and its buffers and headers are made when asked for. Compressed batches are unpacked first, within bounds. A
 * partition with transactional or control batches, or with the format before v2, goes through the stock decoder.
 *
 * A batch that cannot be unpacked, or is not what it says, becomes one record that says so (`unreadable`).
 */
export async function decodeFetchResponse(raw: Buffer): Promise<FetchResponse> {
  const reader = new Reader(raw)
  const clientSideThrottleTime = reader.int32()
  const errorCode = reader.int16()
  const sessionId = reader.int32()
  const responses: { topicName: string; partitions: FetchPartition[] }[] = []
  const budget = { left: INFLATE_LIMITS.fetchBytes }
  for (let topics = reader.int32(); topics > 0; topics--) {
    const topicName = reader.text()
    const partitions: FetchPartition[] = []
    for (let left = reader.int32(); left > 0; left--) partitions.push(await readPartition(reader, budget))
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
  readonly records: readonly KafkaRecord[]
  /** The offset after the last whole record batch; undefined when there was none. */
  readonly nextOffset: number | undefined

  constructor(records: readonly KafkaRecord[], nextOffset: number | undefined) {
    this.records = records
    this.nextOffset = nextOffset
  }

  get length(): number {
    return this.records.length
  }

  filter(keep: (record: KafkaRecord) => unknown): FetchedRecords {
    const { records } = this
    let first = 0
    while (first < records.length && !keep(records[first] as KafkaRecord)) first++
    return first === 0 ? this : new FetchedRecords(records.slice(first), this.nextOffset)
  }
}

/** A record that is still bytes. */
export class FetchedRecord implements KafkaRecord {
  readonly offset: number
  readonly timestampMs: number
  readonly producerId: number
  private readonly bytes: Buffer
  private readonly keyAt: number
  private readonly keyLength: number
  private readonly valueAt: number
  private readonly valueLength: number
  private readonly headersAt: number
  private parsedHeaders: Readonly<Record<string, Buffer>> | undefined

  constructor(cursor: RecordCursor, offset: number, timestampMs: number, producerId: number) {
    this.offset = offset
    this.timestampMs = timestampMs
    this.producerId = producerId
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

async function readPartition(reader: Reader, budget: InflateBudget): Promise<FetchPartition> {
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
  const size = reader.int32()
  const raw = reader.bytes.subarray(reader.at, reader.at + Math.max(size, 0))
  reader.at += Math.max(size, 0)
  const { set, refused } = await inflateBatches(raw, budget)
  const messages = refused === undefined ? await messagesOf(set) : asStock(unreadableBatch(raw, refused))
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

async function messagesOf(set: Buffer): Promise<StockMessage[]> {
  const batches = findBatches(set)
  return batches.every((batch) => batch.isPlain) ? asStock(readRecords(set, batches)) : decodeStock(set, batches)
}

// kafkajs hands the messages on as they are.
const asStock = (records: FetchedRecords) => records as unknown as StockMessage[]

async function decodeStock(set: Buffer, batches: readonly FoundBatch[]): Promise<StockMessage[]> {
  const sized = Buffer.allocUnsafe(4 + set.length)
  sized.writeInt32BE(set.length)
  set.copy(sized, 4)
  const messages = await decodeStockMessages(new Decoder(sized))
  return Object.assign(messages, { nextOffset: endOf(batches) })
}

/** Records up to the first batch that is not what it says; that one alone, as one record, when it is the first. */
function readRecords(set: Buffer, batches: readonly FoundBatch[]): FetchedRecords {
  const records: FetchedRecord[] = []
  const cursor: RecordCursor = { bytes: set, at: 0 }
  for (const [index, batch] of batches.entries()) {
    const before = records.length
    const problem = problemReading(cursor, batch, records)
    if (problem === undefined) continue
    records.length = before
    return index === 0
      ? unreadableBatch(set, { batch, reason: problem })
      : new FetchedRecords(records, endOf(batches.slice(0, index)))
  }
  return new FetchedRecords(records, endOf(batches))
}

function problemReading(cursor: RecordCursor, batch: FoundBatch, records: FetchedRecord[]): string | undefined {
  try {
    return readBatch(cursor, batch, records)
  } catch (error) {
    return (error as Error).message
  }
}

/** Adds the records of a batch; answers what is wrong with it, if something is. */
function readBatch(cursor: RecordCursor, { at, end, baseOffset }: FoundBatch, records: FetchedRecord[]) {
  const { bytes: set } = cursor
  const usesAppendTime = (set.readInt16BE(at + ATTRIBUTES_AT) & LOG_APPEND_TIME) !== 0
  const firstTimestampMs = readInt64(set, at + FIRST_TIMESTAMP_AT)
  const appendTimeMs = readInt64(set, at + MAX_TIMESTAMP_AT)
  const producerId = readInt64(set, at + PRODUCER_ID_AT)
  const count = set.readInt32BE(at + COUNT_AT)
  cursor.at = at + RECORDS_AT
  for (let index = 0; index < count; index++) {
    const size = readVarint(cursor)
    const recordEnd = cursor.at + size
    if (size < 0 || recordEnd > end) return `its record ${index} of ${count} runs past its end`
    cursor.at++ // attributes, unused
    const timestampMs = firstTimestampMs + readVarlong(cursor)
    const offset = baseOffset + readVarint(cursor)
    records.push(new FetchedRecord(cursor, offset, usesAppendTime ? appendTimeMs : timestampMs, producerId))
    if (cursor.at > recordEnd) return `key or value of its record ${index} run past the end of the record`
    cursor.at = recordEnd
  }
  return undefined
}

/** One record at the last offset of the batch, so that it is found from wherever in the batch reading begins. */
function unreadableBatch(set: Buffer, { batch, reason }: RefusedBatch): FetchedRecords {
  const { at, end, baseOffset } = batch
  const nextOffset = batch.nextOffset ?? baseOffset + 1
  const unreadable = new RecordBatchUnreadableError(baseOffset, nextOffset - 1, end - at, reason)
  const timestampMs = readInt64(set, at + MAX_TIMESTAMP_AT)
  const record: KafkaRecord = { offset: nextOffset - 1, timestampMs, key: null, value: null, headers: {}, unreadable }
  return new FetchedRecords([record], nextOffset)
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

const LOG_APPEND_TIME = 0x08
