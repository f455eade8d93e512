import type { Logger } from '@rollcall/observability'
import type { Cluster, ProtocolErrorShape } from '../kafkajs/internals.js'
import { listOffsets } from '../list-offsets.js'
import { atMost } from './at-most.js'
import type { ConsumerOptions } from './consumer.js'
import type { Lane, Lanes } from './lanes.js'
import type { Latch } from './latch.js'
import type { Membership } from './membership.js'

/** Where each lane reads on: what the caller answers, asked for until it does. */
export interface Positions {
  /** Asks for all held lanes that have none. The caller's database may be away: the membership is kept meanwhile. */
  askUntilAnswered(): Promise<void>
  /** Asks for these; when the caller fails, each is asked for again after its back-off. */
  ask(lanes: readonly Lane[]): Promise<void>
  /** The same position again after a while, longer with each failure in a row. */
  backOff(lane: Lane, error: unknown): void
  /** Kafka has no record at the lane's position. */
  recoverFromRange(error: ProtocolErrorShape): Promise<void>
}

export interface PositionsTools {
  readonly cluster: Cluster
  readonly lanes: Lanes
  readonly membership: Membership
  readonly closing: Latch
  readonly logger: Logger
}

export function createPositions(
  { topic, assigned, initialBackoffMs = 100, maxBackoffMs = 10_000 }: ConsumerOptions,
  { cluster, lanes, membership, closing, logger }: PositionsTools,
): Positions {
  const waitAfter = (failures: number) => Math.min(initialBackoffMs * 2 ** failures, maxBackoffMs)

  const startsOf = (asked: readonly Lane[]) =>
    listOffsets(
      cluster,
      topic,
      asked.map(({ partition }) => partition),
      'first',
    )

  async function askUntilAnswered(): Promise<void> {
    for (let failures = 0; !membership.isOver(); ) {
      try {
        return await askOnce(lanes.held().filter(({ position }) => position === undefined))
      } catch (error) {
        const waitMs = waitAfter(failures++)
        logger.warn({ waitMs, error }, 'positions not answered, asking again')
        await atMost(waitMs, closing.whenSet)
      }
    }
  }

  async function ask(asked: readonly Lane[]): Promise<void> {
    const claims = new Map(asked.map((lane) => [lane, lane.claim]))
    try {
      await askOnce(asked)
    } catch (error) {
      for (const lane of asked) if (lane.claim === claims.get(lane)) backOff(lane, error)
    }
  }

  /** What changed hands meanwhile is left to the newer claim. */
  async function askOnce(asked: readonly Lane[]): Promise<void> {
    const claims = new Map(asked.map((lane) => [lane, lane.claim]))
    const answer = await assigned(asked.map(({ partition }) => partition))
    const unknown = asked.filter(({ partition }) => !answer.has(partition))
    const low = unknown.length === 0 ? undefined : await startsOf(unknown)
    for (const lane of asked) {
      if (lane.claim !== claims.get(lane)) continue
      lanes.moveTo(lane, answer.get(lane.partition) ?? low?.get(lane.partition) ?? 0)
    }
  }

  function backOff(lane: Lane, error: unknown): void {
    const waitMs = waitAfter(lane.failures++)
    const { partition, position, failures, claim } = lane
    logger.warn({ partition, position, failures, waitMs, error }, 'partition failed, trying it again')
    lane.backOff = setTimeout(() => {
      if (lane.claim !== claim) return
      lane.backOff = undefined
      if (lane.position !== undefined) lanes.moveTo(lane, lane.position)
      else void ask([lane])
    }, waitMs)
    lanes.settle(lane)
  }

  // Either retention deleted records that were never read, or the topic was truncated or made anew. In the first case
  // going on at the start is all that is left; the second is for people to decide, and the caller is asked again and again.
  async function recoverFromRange(error: ProtocolErrorShape): Promise<void> {
    const lane = lanes.of(error.partition ?? -1)
    const { claim, position, partition } = lane
    const low = (await startsOf([lane])).get(partition) ?? 0
    if (lane.claim !== claim || position === undefined) return
    if (position < low) {
      logger.error({ partition, position, low }, 'records were deleted before they were read; reading on')
      lanes.moveTo(lane, low)
      return
    }
    lane.position = undefined
    backOff(lane, new Error(`the log ends before the stored position ${position}`, { cause: error }))
  }

  return { askUntilAnswered, ask, backOff, recoverFromRange }
}
