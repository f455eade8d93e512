/** A whole record batch of a record set. */
export interface FoundBatch {
  readonly at: number
  readonly end: number
  readonly baseOffset: number
  /** Undefined for the formats before v2. */
  readonly nextOffset: number | undefined
  /** 0 is none; of the formats before v2 it is not looked up. */
  readonly codec: number
  /** Neither compressed, nor of a transaction, nor a control batch, nor of an old format: parsed where it lies. */
  readonly isPlain: boolean
}

/**
 * The whole record batches of a record set; the last one may be cut off by the fetch's byte limit and is left out.
 *
 * @throws RangeError when a length is none.
 */
export function findBatches(set: Buffer): FoundBatch[] {
  const batches: FoundBatch[] = []
  for (let at = 0; at + MAGIC_AT < set.length; ) {
    const length = set.readInt32BE(at + LENGTH_AT)
    if (length < SHORTEST) throw new RangeError(`a record batch of ${length} bytes`)
    const end = at + LENGTH_COUNTS_FROM + length
    if (end > set.length) break
    const isV2 = set[at + MAGIC_AT] === 2
    const baseOffset = readInt64(set, at)
    const attributes = isV2 ? set.readInt16BE(at + ATTRIBUTES_AT) : 0
    batches.push({
      at,
      end,
      baseOffset,
      nextOffset: isV2 ? baseOffset + set.readInt32BE(at + LAST_OFFSET_DELTA_AT) + 1 : undefined,
      codec: attributes & CODEC_BITS,
      isPlain: isV2 && (attributes & NOT_PLAIN) === 0,
    })
    at = end
  }
  return batches
}

/** The offset after the last of them. */
export const endOf = (batches: readonly FoundBatch[]): number | undefined => batches.at(-1)?.nextOffset

/** Exact up to 2^53; an offset or a time in milliseconds never gets there. */
export function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4)
}

// Places in a record batch: base offset 8, length 4, leader epoch 4, magic 1, crc 4, attributes 2, last offset delta 4,
// first timestamp 8, max timestamp 8, producer id 8, epoch 2, first sequence 4, count 4.
// https://kafka.apache.org/documentation/#recordbatch
const MAGIC_AT = 16
const LAST_OFFSET_DELTA_AT = 23
export const LENGTH_AT = 8
/** A batch's length counts from here. */
export const LENGTH_COUNTS_FROM = 12
export const ATTRIBUTES_AT = 21
export const FIRST_TIMESTAMP_AT = 27
export const MAX_TIMESTAMP_AT = 35
export const PRODUCER_ID_AT = 43
export const COUNT_AT = 57
export const RECORDS_AT = 61
export const CODEC_BITS = 0x07
/** Compression, transactional, control. */
const NOT_PLAIN = CODEC_BITS | 0x10 | 0x20
/** Of the formats before v2: crc, magic, attributes, and the lengths of key and value. */
const SHORTEST = 14
