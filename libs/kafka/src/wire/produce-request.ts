import { crc32c } from '@node-rs/crc32'
import type { EncodedPayload, ProduceArguments, ProducePartition } from '../kafkajs/internals.js'
import type { OutgoingRecord } from '../record.js'
import { varintSize, varlongSize, writeVarint, writeVarlong } from './varint.js'

/** A produce request whose messages are our records, grouped by partition. */
export type CarriedProduce = Omit<ProduceArguments, 'topicData'> & {
  readonly topicData: readonly {
    readonly topic: string
    readonly partitions: readonly (Omit<ProducePartition, 'messages'> & {
      readonly messages: readonly OutgoingRecord[]
    })[]
  }[]
}

/** True when kafkajs's producer was handed our records; its own messages have no `body`. */
export function isCarried(args: ProduceArguments): args is CarriedProduce {
  const first = args.topicData[0]?.partitions[0]?.messages[0]
  return first !== undefined && 'body' in first
}

/**
 * Encodes a Produce request body, versions 3 to 7, in one pass into one block of the exact size.
 *
 * A fresh block each time, not a reused one: kafkajs awaits between encoding and copying, and the requests of several
 * brokers are encoded meanwhile.
 */
export function encodeProduceRequest(args: CarriedProduce): EncodedPayload {
  const transactionalId = args.transactionalId == null ? null : Buffer.from(args.transactionalId)
  const topics = args.topicData.map(({ topic, partitions }) => ({
    name: Buffer.from(topic),
    batches: partitions.map(measure),
  }))

  let size = 2 + (transactionalId?.length ?? 0) + 2 + 4 + 4
  for (const { name, batches } of topics) {
    size += 2 + name.length + 4
    for (const batch of batches) size += 8 + BATCH_OVERHEAD + batch.recordsSize
  }

  const block = Buffer.allocUnsafe(size)
  let at = block.writeInt16BE(transactionalId === null ? -1 : transactionalId.length, 0)
  if (transactionalId !== null) at += transactionalId.copy(block, at)
  at = block.writeInt16BE(args.acks, at)
  at = block.writeInt32BE(args.timeout, at)
  at = block.writeInt32BE(topics.length, at)
  const producer = {
    id: args.producerId === undefined ? -1n : toBigInt(args.producerId),
    epoch: args.producerEpoch ?? 0,
    attributes: transactionalId === null ? 0 : TRANSACTIONAL,
  }
  for (const { name, batches } of topics) {
    at = block.writeInt16BE(name.length, at)
    at += name.copy(block, at)
    at = block.writeInt32BE(batches.length, at)
    for (const batch of batches) {
      at = block.writeInt32BE(batch.partition, at)
      at = block.writeInt32BE(BATCH_OVERHEAD + batch.recordsSize, at)
      at = writeBatch(block, at, batch, producer)
    }
  }
  return { buf: block, buffer: block }
}

interface MeasuredBatch {
  readonly partition: number
  readonly firstSequence: number
  readonly records: readonly OutgoingRecord[]
  readonly firstTimestampMs: number
  readonly maxTimestampMs: number
  /** Bytes of all records with their lengths. */
  readonly recordsSize: number
}

function measure(partition: CarriedProduce['topicData'][number]['partitions'][number]): MeasuredBatch {
  const { messages: records } = partition
  let firstTimestampMs = Number.POSITIVE_INFINITY
  let maxTimestampMs = 0
  for (const { timestampMs } of records) {
    if (timestampMs < firstTimestampMs) firstTimestampMs = timestampMs
    if (timestampMs > maxTimestampMs) maxTimestampMs = timestampMs
  }
  let recordsSize = 0
  for (let index = 0; index < records.length; index++) {
    const size = recordSize(records[index] as OutgoingRecord, firstTimestampMs, index)
    recordsSize += varintSize(size) + size
  }
  return {
    partition: partition.partition,
    firstSequence: partition.firstSequence ?? 0,
    records,
    firstTimestampMs,
    maxTimestampMs,
    recordsSize,
  }
}

function recordSize({ timestampMs, body }: OutgoingRecord, firstTimestampMs: number, offsetDelta: number): number {
  return 1 + varlongSize(timestampMs - firstTimestampMs) + varintSize(offsetDelta) + body.length
}

function writeBatch(
  block: Buffer,
  start: number,
  batch: MeasuredBatch,
  producer: { id: bigint; epoch: number; attributes: number },
): number {
  const { records, firstTimestampMs, recordsSize } = batch
  let at = writeInt64(block, start, 0) // first offset: the broker's to assign
  at = block.writeInt32BE(BATCH_OVERHEAD - 12 + recordsSize, at)
  at = block.writeInt32BE(0, at) // partition leader epoch
  at = block.writeInt8(2, at) // magic
  const crcAt = at
  const crcFrom = at + 4
  at = block.writeInt16BE(producer.attributes, crcFrom)
  at = block.writeInt32BE(records.length - 1, at)
  at = writeInt64(block, at, firstTimestampMs)
  at = writeInt64(block, at, batch.maxTimestampMs)
  at = block.writeBigInt64BE(producer.id, at)
  at = block.writeInt16BE(producer.epoch, at)
  at = block.writeInt32BE(batch.firstSequence, at)
  at = block.writeInt32BE(records.length, at)
  for (let index = 0; index < records.length; index++) {
    const record = records[index] as OutgoingRecord
    at = writeVarint(block, at, recordSize(record, firstTimestampMs, index))
    block[at++] = 0
    at = writeVarlong(block, at, record.timestampMs - firstTimestampMs)
    at = writeVarint(block, at, index)
    block.set(record.body, at)
    at += record.body.length
  }
  block.writeUInt32BE(crc32c(block.subarray(crcFrom, at)), crcAt)
  return at
}

function writeInt64(block: Buffer, at: number, value: number): number {
  block.writeInt32BE(Math.floor(value / 2 ** 32), at)
  return block.writeUInt32BE(value % 2 ** 32, at + 4)
}

// kafkajs keeps the producer id as the text the broker's answer was decoded to, and its own Long in the default.
function toBigInt(id: unknown): bigint {
  return BigInt(String(id))
}

/** From the first offset to the record count, both included. */
const BATCH_OVERHEAD = 61
const TRANSACTIONAL = 16
