import { promisify } from 'node:util'
import { unzip } from 'node:zlib'
import {
  ATTRIBUTES_AT,
  CODEC_BITS,
  type FoundBatch,
  findBatches,
  LENGTH_AT,
  LENGTH_COUNTS_FROM,
  RECORDS_AT,
} from './record-batches.js'

/** How much a compressed record batch may hold. gzip packs up to 1,000 to 1; events reach 5 to 40. */
export const INFLATE_LIMITS = {
  ratio: 100,
  /** Bytes that any batch may hold, however small it is packed. */
  anyBytes: 65_536,
  /** Bytes that no batch may hold more of. */
  batchBytes: 16 * 1_048_576,
  /** Bytes of all batches of one fetch together; what does not fit comes with a later one. */
  fetchBytes: 64 * 1_048_576,
} as const

/** What a fetch may still unpack. */
export interface InflateBudget {
  left: number
}

export interface InflatedSet {
  /** Without compressed batches, and without those after one that cannot be unpacked. */
  readonly set: Buffer
  /** The first batch, when that one cannot be unpacked, and why. */
  readonly refused?: RefusedBatch
}

export interface RefusedBatch {
  readonly batch: FoundBatch
  readonly reason: string
}

/** Unpacks the compressed batches of a record set, in memory and time that their bytes justify. */
export async function inflateBatches(set: Buffer, budget: InflateBudget): Promise<InflatedSet> {
  const batches = findBatches(set)
  if (batches.every(({ codec }) => codec === NONE)) return { set }
  const parts: Buffer[] = []
  for (const batch of batches) {
    if (budget.left <= 0) break
    const whole = set.subarray(batch.at, batch.end)
    const unpacked = batch.codec === NONE ? whole : await inflate(whole, batch.codec)
    if (typeof unpacked === 'string') {
      if (parts.length === 0) return { set: NOTHING, refused: { batch, reason: unpacked } }
      break
    }
    budget.left -= batch.codec === NONE ? 0 : unpacked.length
    parts.push(unpacked)
  }
  return { set: Buffer.concat(parts) }
}

const NONE = 0
const GZIP = 1
const NAMES: Readonly<Record<number, string>> = { 2: 'snappy', 3: 'lz4', 4: 'zstd' }
const NOTHING = Buffer.alloc(0)
const unpack = promisify<Buffer, object, Buffer>(unzip)

/** The same batch uncompressed, or why not. */
async function inflate(whole: Buffer, codec: number): Promise<Buffer | string> {
  if (codec !== GZIP) {
    return `it is compressed with ${NAMES[codec] ?? `codec ${codec}`}, which is not read here; a topic with compression.type=uncompressed takes it and keeps it readable`
  }
  const { ratio, anyBytes, batchBytes } = INFLATE_LIMITS
  const packed = whole.subarray(RECORDS_AT)
  const maxOutputLength = Math.min(batchBytes, Math.max(anyBytes, ratio * packed.length))
  try {
    const records = await unpack(packed, { maxOutputLength })
    const head = Buffer.from(whole.subarray(0, RECORDS_AT))
    head.writeInt32BE(RECORDS_AT - LENGTH_COUNTS_FROM + records.length, LENGTH_AT)
    head.writeInt16BE(head.readInt16BE(ATTRIBUTES_AT) & ~CODEC_BITS, ATTRIBUTES_AT)
    return Buffer.concat([head, records])
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code !== 'ERR_BUFFER_TOO_LARGE') return `it cannot be unpacked: ${message}`
    return `its ${packed.length} bytes unpack to more than ${maxOutputLength}`
  }
}
