import type { Logger } from '@rollcall/observability'
import type { Cluster, ConsumerGroup, ProtocolErrorShape } from '../kafkajs/internals.js'
import { atMost } from './at-most.js'
import type { ConsumerOptions } from './consumer.js'
import type { HandOut } from './hand-out.js'
import { isReadable, type Lanes } from './lanes.js'
import type { Membership, Session } from './membership.js'
import type { Positions } from './positions.js'
import type { Signal } from './signal.js'

export interface Fetching {
  /** Fetches from one broker until the session is over or the broker is gone. Rejects when only a new join helps. */
  fetchFrom(nodeId: string, session: Session): Promise<void>
  /** Mends what can be mended within the session; rejects with the error otherwise. */
  recover(error: FetchError): Promise<void>
}

export type FetchError = ProtocolErrorShape & { readonly host?: string; readonly port?: number }

export interface FetchingTools {
  readonly cluster: Cluster
  readonly group: ConsumerGroup
  readonly lanes: Lanes
  readonly positions: Positions
  readonly membership: Membership
  readonly handOut: HandOut
  readonly changed: Signal
  readonly logger: Logger
}

export function createFetching(
  { topic, maxWaitMs = 150 }: ConsumerOptions,
  { cluster, group, lanes, positions, membership, handOut, changed, logger }: FetchingTools,
): Fetching {
  /** True when the node leads a partition that can be read now. */
  function leadsReadable(nodeId: string): boolean {
    const readable = lanes.held().filter(isReadable)
    if (readable.length === 0) return false
    const byNode = group.findReadReplicaForPartitions(
      topic,
      readable.map(({ partition }) => partition),
    )
    return (byNode[nodeId]?.length ?? 0) > 0
  }

  return {
    async fetchFrom(nodeId, session) {
      while (!session.isOver()) {
        if (!leadsReadable(nodeId)) {
          if (!group.getNodeIds().includes(nodeId)) return
          await changed.wait(500)
          continue
        }
        // A partition that is paused, or whose batch still runs, is not in the request. A short poll brings it back into the
        // next one soon: after a halt of some milliseconds the others' long poll would hold it up for another 150.
        group.maxWaitTime = lanes.held().every(isReadable) ? maxWaitMs : Math.min(20, maxWaitMs)
        const batches = await group.fetch(nodeId)
        if (session.isOver()) return
        const works = handOut.take(batches)
        if (works.length > 0) await atMost(SLOW_BATCH_MS, Promise.all(works))
      }
    },

    async recover(error) {
      if (error.name === 'KafkaJSConnectionClosedError' && error.host !== undefined && error.port !== undefined) {
        cluster.removeBroker({ host: error.host, port: error.port })
      }
      if (error.name === 'KafkaJSOffsetOutOfRange') return positions.recoverFromRange(error)
      if (error.name === 'KafkaJSStaleTopicMetadataAssignment') return membership.needsJoin()
      if (!FETCH_AGAIN_CODES.has(error.type ?? '') && !FETCH_AGAIN_NAMES.has(error.name)) throw error
      logger.debug({ reason: error.message }, 'fetch failed, looking for the leader')
      await sleep(50)
      await cluster.refreshMetadata()
    },
  }
}

/** A fetch waits so long for the batches of the one before, so that they share the next request; then it goes without. */
const SLOW_BATCH_MS = 30

const FETCH_AGAIN_CODES = new Set([
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'REPLICA_NOT_AVAILABLE',
])
const FETCH_AGAIN_NAMES = new Set([
  'KafkaJSTopicMetadataNotLoaded',
  'KafkaJSConnectionClosedError',
  'KafkaJSConnectionError',
  'KafkaJSBrokerNotFound',
])

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
