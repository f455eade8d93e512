import {
  fetchRequests,
  kafkajsVersion,
  PINNED_VERSION,
  type ProduceResponse,
  produceRequests,
} from '../kafkajs/internals.js'
import { decodeFetchResponse } from './fetch-response.js'
import { encodeProduceRequest, isCarried } from './produce-request.js'

/** Whether our encoder and decoder can be used in this process, and why not. */
export type FastWire = { readonly isInstalled: true } | { readonly isInstalled: false; readonly reason: string }

/**
 * Puts our Produce encoder and Fetch decoder in the place of kafkajs's. kafkajs looks its protocol definitions up at
 * each request by calling `definition.protocol({ version })`, so replacing that one property works at any time and needs
 * no access to the module cache. Stock messages and other versions of the two requests go on to the stock code.
 *
 * The stock encoder takes 9.6 us a record and is the bottleneck of the whole pipeline; see README for ours.
 */
export function installFastWire(version = kafkajsVersion): FastWire {
  if (version !== PINNED_VERSION) {
    const reason = `kafkajs is ${version}, and the replacement was proven equal to ${PINNED_VERSION} only`
    return { isInstalled: false, reason }
  }
  if (!isReplaced) {
    replaceProduce()
    replaceFetch()
    isReplaced = true
  }
  return { isInstalled: true }
}

/**
 * The response limit of a fetch that wants our decoder. kafkajs hands the arguments of a fetch through untouched, and
 * this odd number is how ours are told from those of any other user of kafkajs in the process.
 */
export const FAST_FETCH_BYTES = 16 * 1_048_576 + 11

/** The response limit of a fetch that wants the stock decoder. */
export const STOCK_FETCH_BYTES = 16 * 1_048_576

let isReplaced = false

function replaceProduce(): void {
  const stock = produceRequests.protocol
  produceRequests.protocol = ({ version }) => {
    const make = stock({ version })
    if (version < 3 || version > 7) return make
    return (args) => {
      const { request, response, ...rest } = make(args)
      return {
        ...rest,
        request: isCarried(args) ? { ...request, encode: async () => encodeProduceRequest(args) } : request,
        response: { decode: response.decode, parse: (decoded) => parseNamingPartition(decoded, response.parse) },
      }
    }
  }
}

// The stock parser throws for the first failed partition without saying which one it was.
async function parseNamingPartition(
  decoded: ProduceResponse,
  parse: (decoded: ProduceResponse) => Promise<ProduceResponse>,
): Promise<ProduceResponse> {
  try {
    return await parse(decoded)
  } catch (error) {
    for (const { topicName, partitions } of decoded.topics) {
      const failed = partitions.find(({ errorCode }) => errorCode !== 0)
      if (failed) throw Object.assign(error as Error, { topic: topicName, partition: failed.partition })
    }
    throw error
  }
}

function replaceFetch(): void {
  const stock = fetchRequests.protocol
  fetchRequests.protocol = ({ version }) => {
    const make = stock({ version })
    if (version !== 11) return make
    return (args) => {
      const { response, ...rest } = make(args)
      if (args.maxBytes !== FAST_FETCH_BYTES) return { ...rest, response }
      return { ...rest, response: { decode: decodeFetchResponse, parse: response.parse } }
    }
  }
}
