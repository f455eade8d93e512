import type { RollcallError } from '@rollcall/errors'
import type { Logger } from '@rollcall/observability'
import { KafkaClientClosedError, KafkaCoordinatorNotReadyError } from '../errors/kafka-errors.js'
import type { KafkaMetrics } from '../metrics.js'
import { atMost } from './at-most.js'
import type { ConsumerOptions, KafkaConsumer } from './consumer.js'
import { createFetching } from './fetching.js'
import { createHandOut } from './hand-out.js'
import { createLanes } from './lanes.js'
import { createLatch } from './latch.js'
import { createMembership, HEARTBEAT_MS, type Session } from './membership.js'
import { nameGroupFailure } from './name-group-failure.js'
import { type GroupTools, openGroup } from './open-group.js'
import { createPositions } from './positions.js'
import { createSignal } from './signal.js'

export interface ConsumerTools extends GroupTools {
  readonly logger: Logger
  readonly metrics: KafkaMetrics
}

/**
 * See `KafkaConsumer`. It stands on kafkajs's ConsumerGroup (membership, fetching, metadata) and not on its Runner,
 * which cannot wait for positions after a join, lets one slow or failing partition hold up all others, notices a
 * rebalance only between batches, and moves to the start of the log by itself when an offset is out of range.
 */
export function createConsumer(options: ConsumerOptions, tools: ConsumerTools): KafkaConsumer {
  const { topic, groupId } = options
  const { metrics } = tools
  const logger = tools.logger.child({ topic, groupId })
  const changed = createSignal()
  const closing = createLatch()
  const { cluster, group } = openGroup(options, tools, {
    joined: onJoin,
    recoverFromFetch: (error) => fetching.recover(error),
  })
  const lanes = createLanes(topic, group, changed)
  const membership = createMembership(topic, { cluster, group, changed, closing, logger })
  const positions = createPositions(options, { cluster, lanes, membership, closing, logger })
  const handOut = createHandOut(options, { group, lanes, positions, membership, closing, logger, metrics })
  const fetching = createFetching(options, { cluster, group, lanes, positions, membership, handOut, changed, logger })

  let failedSessions = 0
  let coordinatorMissedAt: number | undefined
  let started: Promise<void> | undefined
  let loop: Promise<void> = Promise.resolve()
  let firstClaim: { resolve(): void; reject(error: unknown): void } | undefined

  function onJoin(): void {
    const listed = group.assigned().flatMap((one) => (one.topic === topic ? one.partitions : []))
    const assigned = new Set(listed.sort((a, b) => a - b))
    const lost = lanes.held().filter(({ partition }) => !assigned.has(partition))
    for (const lane of lost) lanes.release(lane)
    for (const partition of assigned) lanes.claimAnew(lanes.of(partition), undefined)
    handOut.forgetUncommitted()
    metrics.joins.inc({ topic, group: groupId })
    logger.info({ partitions: [...assigned], lost: lost.map(({ partition }) => partition) }, 'joined the group')
    try {
      if (lost.length > 0) options.revoked?.(lost.map(({ partition }) => partition))
    } catch (error) {
      logger.warn({ error }, 'the handler of revoked partitions threw')
    }
  }

  async function run(): Promise<void> {
    while (!closing.isSet) {
      try {
        await runSession()
      } catch (error) {
        if (closing.isSet) return
        const named = await nameGroupFailure(error, cluster, groupId, topic)
        if (firstClaim !== undefined && !named.retryable) {
          firstClaim.reject(named)
          return
        }
        await atMost(rejoinWait(named), closing.whenSet)
      }
    }
  }

  function rejoinWait(failure: RollcallError): number {
    if (failure instanceof KafkaCoordinatorNotReadyError) {
      coordinatorMissedAt ??= performance.now()
      if (performance.now() - coordinatorMissedAt < COORDINATOR_LOAD_MS) {
        logger.debug({ reason: failure.facts.protocolCode }, 'the group has no coordinator yet, joining it again')
        return FIRST_REJOIN_WAIT_MS
      }
    }
    const waitMs = Math.min(FIRST_REJOIN_WAIT_MS * 2 ** failedSessions++, MAX_REJOIN_WAIT_MS)
    logger.warn({ waitMs, error: failure }, 'consumer failed, joining the group again')
    return waitMs
  }

  async function runSession(): Promise<void> {
    const session = await membership.join()
    failedSessions = 0
    coordinatorMissedAt = undefined
    const beats = setInterval(() => void membership.beat(), HEARTBEAT_MS)
    const commits = setInterval(() => void handOut.commit(), COMMIT_MS)
    try {
      await positions.askUntilAnswered()
      if (!membership.isOver()) firstClaim?.resolve()
      await fetchFromAll(session)
    } finally {
      clearInterval(beats)
      clearInterval(commits)
    }
  }

  /** One fetch at a time from each broker, until the membership is over or one of them fails for good. */
  async function fetchFromAll(session: Session): Promise<void> {
    const fetchers = new Map<string, Promise<void>>()
    let failure: unknown
    while (!membership.isOver() && failure === undefined) {
      for (const nodeId of group.getNodeIds()) {
        if (fetchers.has(nodeId)) continue
        const fetcher = fetching
          .fetchFrom(nodeId, session)
          .catch((error: unknown) => {
            failure = error
            changed.raise()
          })
          .finally(() => fetchers.delete(nodeId))
        fetchers.set(nodeId, fetcher)
      }
      await changed.wait(500)
    }
    session.end()
    await Promise.all(fetchers.values())
    // Those that end in time keep their work; the others turn stale at the join, which must not wait for ever.
    await atMost(DRAIN_MS, Promise.allSettled(handOut.running))
    await handOut.commit()
    if (failure !== undefined) throw failure
  }

  return {
    start() {
      started ??= new Promise<void>((resolve, reject) => {
        firstClaim = {
          resolve: () => {
            firstClaim = undefined
            resolve()
          },
          reject,
        }
        loop = run()
      })
      return started
    },

    assignment: () => lanes.held().map(({ partition }) => partition),

    pause(partitions) {
      for (const lane of partitions.map(lanes.of)) {
        lane.isPaused = true
        lanes.settle(lane)
      }
    },

    resume(partitions) {
      for (const lane of partitions.map(lanes.of)) {
        if (!lane.isPaused) continue
        lane.isPaused = false
        if (lane.claim !== undefined && !lane.isBusy && lane.backOff === undefined) lanes.moveTo(lane, lane.position)
        else lanes.settle(lane)
      }
    },

    seek(partition, offset) {
      const lane = lanes.of(partition)
      if (lane.claim !== undefined) lanes.claimAnew(lane, offset)
    },

    async reclaim(partitions) {
      const asked = partitions.map(lanes.of).filter(({ claim }) => claim !== undefined)
      for (const lane of asked) lanes.claimAnew(lane, undefined)
      await positions.ask(asked)
    },

    async close() {
      if (closing.isSet) return loop
      closing.set()
      changed.raise()
      firstClaim?.reject(new KafkaClientClosedError('consumer'))
      await atMost(CLOSE_MS, loop)
      await Promise.allSettled(handOut.running)
      lanes.clearBackOffs()
      await group.leave().catch((error: unknown) => logger.debug({ reason: String(error) }, 'leaving the group failed'))
      await cluster.disconnect().catch(() => undefined)
    },
  }
}

const COMMIT_MS = 1_000
const FIRST_REJOIN_WAIT_MS = 100
const MAX_REJOIN_WAIT_MS = 2_000
/** A broker that has just started loads its groups before it serves them; so long that is worth no warning. */
const COORDINATOR_LOAD_MS = 10_000

/** How long a rejoin waits for batches in flight; far below the 60 s that the group waits for its members. */
const DRAIN_MS = 5_000

/** A join can wait for other members as long as they like; closing does not. */
const CLOSE_MS = 8_000
