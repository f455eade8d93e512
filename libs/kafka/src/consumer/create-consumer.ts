import { EventEmitter } from 'node:events'
import type { RollcallError } from '@rollcall/errors'
import type { Logger } from '@rollcall/observability'
import type { Kafka } from 'kafkajs'
import { KafkaAuthorizationDeniedError, KafkaClientClosedError } from '../errors/kafka-errors.js'
import { protocolCodeOf, toKafkaError } from '../errors/to-kafka-error.js'
import {
  type Batch,
  type Cluster,
  type ConsumerGroup,
  GROUP_JOIN,
  GroupOfConsumers,
  openCluster,
  type ProtocolErrorShape,
  READ_COMMITTED,
  roundRobin,
} from '../kafkajs/internals.js'
import type { KafkaMetrics } from '../metrics.js'
import type { KafkaRecord } from '../record.js'
import { nextOffsetAfter, toRecords } from '../stock-record.js'
import { atMost } from './at-most.js'
import type { ConsumerOptions, KafkaConsumer } from './consumer.js'
import { createSignal } from './signal.js'
import { createSlots } from './slots.js'

export interface ConsumerTools {
  readonly kafka: Kafka
  /** Limit of one response; which one it is chooses the decoder (see fast-wire.ts). */
  readonly maxBytes: number
  readonly logger: Logger
  readonly metrics: KafkaMetrics
}

/** What is known of a partition; kept over rebalances, because a pause and a running batch outlive them. */
interface Lane {
  readonly partition: number
  /** The right to hand out records of the partition: a new one with each join, seek and reclaim; none when not held. */
  claim: object | undefined
  /** Where to read on; undefined until `assigned` has answered for this claim. */
  position: number | undefined
  isBusy: boolean
  isPaused: boolean
  failures: number
  backOff: NodeJS.Timeout | undefined
}

/**
 * See `KafkaConsumer`. It stands on kafkajs's ConsumerGroup (membership, fetching, metadata) and not on its Runner,
 * which cannot wait for positions after a join, lets one slow or failing partition hold up all others, notices a
 * rebalance only between batches, and moves to the start of the log by itself when an offset is out of range.
 *
 * Only one rule decides whether a batch is handed out: it was fetched exactly at the position of the lane's present claim.
 */
export function createConsumer(options: ConsumerOptions, tools: ConsumerTools): KafkaConsumer {
  const { topic, groupId, concurrency = 1, maxWaitMs = 150 } = options
  const { initialBackoffMs = 100, maxBackoffMs = 10_000, maxRecordsPerBatch = Number.POSITIVE_INFINITY } = options
  const labels = { topic, group: groupId }
  const logger = tools.logger.child({ topic, groupId })
  const lanes = new Map<number, Lane>()
  const slots = createSlots(concurrency)
  const changed = createSignal()
  const uncommitted = new Map<number, number>()
  const running = new Set<Promise<void>>()
  const { cluster, group } = openGroup(options, tools, onJoin, recoverFromFetch)

  let session: object = {}
  let failedSessions = 0
  let mustRejoin = false
  let isClosing = false
  let started: Promise<void> | undefined
  let loop: Promise<void> = Promise.resolve()
  let firstClaim: { resolve(): void; reject(error: unknown): void } | undefined

  function laneOf(partition: number): Lane {
    let lane = lanes.get(partition)
    if (lane === undefined) {
      lane = {
        partition,
        claim: undefined,
        position: undefined,
        isBusy: false,
        isPaused: false,
        failures: 0,
        backOff: undefined,
      }
      lanes.set(partition, lane)
    }
    return lane
  }

  const held = () => [...lanes.values()].filter(({ claim }) => claim !== undefined)

  const isReadable = ({ claim, position, isBusy, isPaused, backOff }: Lane) =>
    claim !== undefined && position !== undefined && !isBusy && !isPaused && backOff === undefined

  /** Tells kafkajs whether to fetch the partition. */
  function settle(lane: Lane): void {
    const selected = [{ topic, partitions: [lane.partition] }]
    if (isReadable(lane)) group.subscriptionState.resume(selected)
    else group.subscriptionState.pause(selected)
    changed.raise()
  }

  /** From here on nothing that was fetched or handed out under the former claim counts. */
  function claimAnew(lane: Lane, position: number | undefined): void {
    lane.claim = {}
    lane.failures = 0
    clearTimeout(lane.backOff)
    lane.backOff = undefined
    moveTo(lane, position)
  }

  function moveTo(lane: Lane, position: number | undefined): void {
    lane.position = position
    if (position !== undefined) group.seek({ topic, partition: lane.partition, offset: String(position) })
    settle(lane)
  }

  // Called by kafkajs in the same turn in which it takes the new assignment, before it can fetch anything under it.
  function onJoin(): void {
    const listed = group.assigned().flatMap((one) => (one.topic === topic ? one.partitions : []))
    const assigned = new Set(listed.sort((a, b) => a - b))
    const lost = held().filter(({ partition }) => !assigned.has(partition))
    for (const lane of lost) {
      lane.claim = undefined
      clearTimeout(lane.backOff)
      lane.backOff = undefined
      moveTo(lane, undefined)
    }
    for (const partition of assigned) claimAnew(laneOf(partition), undefined)
    uncommitted.clear()
    tools.metrics.joins.inc(labels)
    logger.info({ partitions: [...assigned], lost: lost.map(({ partition }) => partition) }, 'joined the group')
    try {
      if (lost.length > 0) options.revoked?.(lost.map(({ partition }) => partition))
    } catch (error) {
      logger.warn({ error }, 'the handler of revoked partitions threw')
    }
  }

  /** Asks the caller for positions; what changed hands meanwhile is left to the newer claim. */
  async function askPositions(asked: readonly Lane[]): Promise<void> {
    const claims = new Map(asked.map((lane) => [lane, lane.claim]))
    const answer = await options.assigned(asked.map(({ partition }) => partition))
    const unknown = asked.filter(({ partition }) => !answer.has(partition))
    const low = unknown.length === 0 ? undefined : await startsOf(unknown.map(({ partition }) => partition))
    for (const lane of asked) {
      if (lane.claim !== claims.get(lane)) continue
      moveTo(lane, answer.get(lane.partition) ?? low?.get(lane.partition) ?? 0)
    }
  }

  /** The caller's database may be away: the membership is kept meanwhile. */
  async function askPositionsUntilAnswered(): Promise<void> {
    for (let failures = 0; !mustRejoin && !isClosing; ) {
      try {
        return await askPositions(held().filter(({ position }) => position === undefined))
      } catch (error) {
        const waitMs = Math.min(initialBackoffMs * 2 ** failures++, maxBackoffMs)
        logger.warn({ waitMs, error }, 'positions not answered, asking again')
        await atMost(waitMs, closing)
      }
    }
  }

  async function startsOf(partitions: readonly number[]): Promise<Map<number, number>> {
    const asked = partitions.map((partition) => ({ partition }))
    const answers = await cluster.fetchTopicsOffset([{ topic, fromBeginning: true, partitions: asked }])
    return new Map(answers.flatMap((one) => one.partitions).map(({ partition, offset }) => [partition, Number(offset)]))
  }

  async function handOut(lane: Lane, batch: Batch): Promise<void> {
    const { claim } = lane
    const isStale = () => lane.claim !== claim || isClosing
    await slots.take()
    try {
      const records = toRecords(batch.messages)
      const afterAll = nextOffsetAfter(batch) ?? 0
      for (let first = 0; first < records.length; first += maxRecordsPerBatch) {
        if (isStale() || lane.isPaused) return
        const last = Math.min(first + maxRecordsPerBatch, records.length)
        const part = last - first === records.length ? records : records.slice(first, last)
        const nextOffset = last === records.length ? afterAll : (records[last] as KafkaRecord).offset
        await options.batch({
          topic,
          partition: lane.partition,
          records: part,
          nextOffset,
          highWatermark: Number(batch.highWatermark),
          isStale,
          heartbeat: beat,
        })
        tools.metrics.recordsReceived.inc(labels, part.length)
        // A claim that changed while the handler ran has its own position, asked for after the handler's work or fenced
        // against it by the caller.
        if (lane.claim !== claim) return
        lane.failures = 0
        uncommitted.set(lane.partition, nextOffset)
        advance(lane, nextOffset)
      }
    } catch (error) {
      tools.metrics.batchFailures.inc(labels)
      if (lane.claim === claim) backOffFrom(lane, error)
      else logger.debug({ partition: lane.partition, error }, 'a stale batch failed')
    } finally {
      slots.give()
    }
  }

  function advance(lane: Lane, position: number): void {
    lane.position = position
    group.resolveOffset({ topic, partition: lane.partition, offset: String(position - 1) })
  }

  function backOffFrom(lane: Lane, error: unknown): void {
    lane.failures++
    const waitMs = Math.min(initialBackoffMs * 2 ** (lane.failures - 1), maxBackoffMs)
    const { partition, position, failures, claim } = lane
    logger.warn({ partition, position, failures, waitMs, error }, 'partition failed, trying it again')
    lane.backOff = setTimeout(() => {
      if (lane.claim !== claim) return
      lane.backOff = undefined
      if (lane.position !== undefined) moveTo(lane, lane.position)
      else void askPositionsOrBackOff([lane])
    }, waitMs)
    settle(lane)
  }

  async function askPositionsOrBackOff(asked: readonly Lane[]): Promise<void> {
    const claims = new Map(asked.map((lane) => [lane, lane.claim]))
    try {
      await askPositions(asked)
    } catch (error) {
      for (const lane of asked) if (lane.claim === claims.get(lane)) backOffFrom(lane, error)
    }
  }

  /** Starts the work on what was fetched; the promises never reject. */
  function take(batches: readonly Batch[]): Promise<void>[] {
    return batches.flatMap((batch) => {
      const lane = laneOf(batch.partition)
      if (!isReadable(lane) || Number(batch.fetchedOffset) !== lane.position) return []
      if (batch.messages.length === 0) {
        const next = nextOffsetAfter(batch)
        if (next !== undefined && next > lane.position) advance(lane, next)
        return []
      }
      lane.isBusy = true
      settle(lane)
      const work = handOut(lane, batch).finally(() => {
        lane.isBusy = false
        running.delete(work)
        // What was not handled of the fetch is fetched again.
        if (lane.claim !== undefined && lane.backOff === undefined) moveTo(lane, lane.position)
        else settle(lane)
      })
      running.add(work)
      return [work]
    })
  }

  /** True when the node leads a partition that can be read now. */
  function leadsReadable(nodeId: string): boolean {
    const readable = held().filter(isReadable)
    if (readable.length === 0) return false
    const byNode = group.findReadReplicaForPartitions(
      topic,
      readable.map(({ partition }) => partition),
    )
    return (byNode[nodeId]?.length ?? 0) > 0
  }

  async function fetchFrom(nodeId: string, ours: object): Promise<void> {
    const isOver = () => session !== ours || mustRejoin || isClosing
    while (!isOver()) {
      if (!leadsReadable(nodeId)) {
        if (!group.getNodeIds().includes(nodeId)) return
        await changed.wait(500)
        continue
      }
      // A partition whose batch is still running is not in the request. A short poll brings it back into the next one soon.
      group.maxWaitTime = running.size > 0 ? Math.min(20, maxWaitMs) : maxWaitMs
      const batches = await group.fetch(nodeId)
      if (isOver()) return
      const works = take(batches)
      if (works.length > 0) await atMost(SLOW_BATCH_MS, Promise.all(works))
    }
  }

  function recoverFromFetch(error: ProtocolErrorShape & { host?: string; port?: number }): Promise<void> {
    if (error.name === 'KafkaJSConnectionClosedError' && error.host !== undefined && error.port !== undefined) {
      cluster.removeBroker({ host: error.host, port: error.port })
    }
    if (error.name === 'KafkaJSOffsetOutOfRange') return recoverFromRange(error)
    if (error.name === 'KafkaJSStaleTopicMetadataAssignment') {
      mustRejoin = true
      changed.raise()
      return Promise.resolve()
    }
    if (FETCH_AGAIN_CODES.has(error.type ?? '') || FETCH_AGAIN_NAMES.has(error.name)) {
      logger.debug({ reason: error.message }, 'fetch failed, looking for the leader')
      return sleep(50).then(() => cluster.refreshMetadata())
    }
    return Promise.reject(error)
  }

  // Either retention deleted records that were never read, or the topic was truncated or made anew. In the first case
  // going on at the start is all that is left; the second is for people to decide, and the caller is asked again and again.
  async function recoverFromRange(error: ProtocolErrorShape): Promise<void> {
    const lane = laneOf(error.partition ?? -1)
    const { claim, position } = lane
    const low = (await startsOf([lane.partition])).get(lane.partition) ?? 0
    if (lane.claim !== claim || position === undefined) return
    if (position < low) {
      logger.error(
        { partition: lane.partition, position, low },
        'records were deleted before they were read; reading on',
      )
      moveTo(lane, low)
      return
    }
    lane.position = undefined
    backOffFrom(lane, new Error(`the log ends before the stored position ${position}`, { cause: error }))
  }

  async function beat(): Promise<void> {
    try {
      await group.heartbeat({ interval: HEARTBEAT_MS })
    } catch (error) {
      const { type } = error as ProtocolErrorShape
      if (type === 'UNKNOWN_MEMBER_ID') group.memberId = null
      logger.debug({ reason: type ?? String(error) }, 'heartbeat answered: join again')
      mustRejoin = true
      changed.raise()
    }
  }

  async function commit(): Promise<void> {
    if (uncommitted.size === 0) return
    const partitions = [...uncommitted].map(([partition, offset]) => ({ partition, offset: String(offset) }))
    uncommitted.clear()
    try {
      await group.commitOffsets({ topics: [{ topic, partitions }] })
    } catch (error) {
      // They are for lag displays only; the next commit covers these too.
      logger.debug({ reason: String(error) }, 'offsets not committed')
    }
  }

  /** One membership: from a join to the need of the next. */
  async function runSession(): Promise<void> {
    const ours = {}
    session = ours
    mustRejoin = false
    await cluster.connect()
    await cluster.addTargetTopic(topic)
    await group.joinAndSync()
    failedSessions = 0
    const beats = setInterval(() => void beat(), HEARTBEAT_MS)
    const commits = setInterval(() => void commit(), COMMIT_MS)
    try {
      await askPositionsUntilAnswered()
      if (!mustRejoin && !isClosing) firstClaim?.resolve()
      const fetchers = new Map<string, Promise<void>>()
      let failure: unknown
      while (!mustRejoin && !isClosing && failure === undefined) {
        for (const nodeId of group.getNodeIds()) {
          if (fetchers.has(nodeId)) continue
          const fetcher = fetchFrom(nodeId, ours)
            .catch((error: unknown) => {
              failure = error
              changed.raise()
            })
            .finally(() => fetchers.delete(nodeId))
          fetchers.set(nodeId, fetcher)
        }
        await changed.wait(500)
      }
      session = {}
      changed.raise()
      await Promise.all(fetchers.values())
      // Those that end in time keep their work; the others turn stale at the join, which must not wait for ever.
      await atMost(DRAIN_MS, Promise.allSettled(running))
      await commit()
      if (failure !== undefined) throw failure
    } finally {
      clearInterval(beats)
      clearInterval(commits)
    }
  }

  async function run(): Promise<void> {
    while (!isClosing) {
      try {
        await runSession()
      } catch (error) {
        if (isClosing) return
        const named = await nameGroupFailure(error, cluster, groupId, topic)
        if (firstClaim !== undefined && !named.retryable) {
          firstClaim.reject(named)
          return
        }
        const waitMs = Math.min(100 * 2 ** failedSessions++, MAX_REJOIN_WAIT_MS)
        logger.warn({ waitMs, error: named }, 'consumer failed, joining the group again')
        await atMost(waitMs, closing)
      }
    }
  }

  let closeNow: () => void = () => undefined
  const closing = new Promise<void>((resolve) => {
    closeNow = resolve
  })

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

    assignment: () => held().map(({ partition }) => partition),

    pause(partitions) {
      for (const lane of partitions.map(laneOf)) {
        lane.isPaused = true
        settle(lane)
      }
    },

    resume(partitions) {
      for (const lane of partitions.map(laneOf)) {
        if (!lane.isPaused) continue
        lane.isPaused = false
        if (lane.claim !== undefined && !lane.isBusy && lane.backOff === undefined) moveTo(lane, lane.position)
        else settle(lane)
      }
    },

    seek(partition, offset) {
      const lane = laneOf(partition)
      if (lane.claim !== undefined) claimAnew(lane, offset)
    },

    async reclaim(partitions) {
      const asked = partitions.map(laneOf).filter(({ claim }) => claim !== undefined)
      for (const lane of asked) claimAnew(lane, undefined)
      await askPositionsOrBackOff(asked)
    },

    async close() {
      if (isClosing) return loop
      isClosing = true
      closeNow()
      changed.raise()
      firstClaim?.reject(new KafkaClientClosedError('consumer'))
      await atMost(CLOSE_MS, loop)
      await Promise.allSettled(running)
      for (const lane of lanes.values()) clearTimeout(lane.backOff)
      await group.leave().catch((error: unknown) => logger.debug({ reason: String(error) }, 'leaving the group failed'))
      await cluster.disconnect().catch(() => undefined)
    },
  }
}

// A member that joins or leaves is noticed with the next heartbeat.
const HEARTBEAT_MS = 500
const COMMIT_MS = 1_000
const MAX_REJOIN_WAIT_MS = 2_000
/** A fetch waits so long for the batches of the one before, so that they share the next request; then it goes without. */
const SLOW_BATCH_MS = 30
/** How long a rejoin waits for batches in flight; far below the 60 s that the group waits for its members. */
const DRAIN_MS = 5_000

/** A join can wait for other members as long as they like; closing does not. */
const CLOSE_MS = 8_000

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

function openGroup(
  options: ConsumerOptions,
  { kafka, maxBytes }: ConsumerTools,
  onJoin: () => void,
  recoverFromFetch: (error: ProtocolErrorShape) => Promise<void>,
): { cluster: Cluster; group: ConsumerGroup } {
  const { topic, groupId, maxWaitMs = 150, maxBytesPerPartition = 1_048_576, sessionTimeoutMs = 6_000 } = options
  const cluster = openCluster(kafka)
  const emitter = new EventEmitter().on(GROUP_JOIN, onJoin)
  const group = new GroupOfConsumers({
    logger: kafka.logger(),
    topics: [topic],
    topicConfigurations: { [topic]: { fromBeginning: true } },
    retry: { initialRetryTime: 20, maxRetryTime: 1_000, multiplier: 2, factor: 0.2, retries: 5 },
    cluster,
    groupId,
    assigners: [roundRobin({ cluster, groupId, logger: kafka.logger() })],
    sessionTimeout: sessionTimeoutMs,
    rebalanceTimeout: 60_000,
    maxBytesPerPartition,
    minBytes: 1,
    maxBytes,
    maxWaitTimeInMs: maxWaitMs,
    instrumentationEmitter: { emit: (name: string, payload: unknown) => emitter.emit(name, payload) },
    isolationLevel: READ_COMMITTED,
    rackId: '',
    metadataMaxAge: 300_000,
    autoCommit: false,
    autoCommitInterval: null,
    autoCommitThreshold: null,
  })
  group.recoverFromFetch = recoverFromFetch
  return { cluster, group }
}

/** kafkajs hides a refusal of the group behind "coordinator not found": the coordinator is asked for once more, by hand. */
async function nameGroupFailure(
  error: unknown,
  cluster: Cluster,
  groupId: string,
  topic: string,
): Promise<RollcallError> {
  const named = toKafkaError(error, { doing: 'consuming', topic, facts: { groupId } })
  const isHidden = (error as Error | null)?.name === 'KafkaJSGroupCoordinatorNotFound'
  const nodeId = isHidden ? cluster.getNodeIds()[0] : undefined
  if (nodeId === undefined) return named
  try {
    const broker = await cluster.findBroker({ nodeId })
    await broker.findGroupCoordinator({ groupId, coordinatorType: 0 })
  } catch (refusal) {
    const code = protocolCodeOf(refusal)
    if (code?.endsWith('AUTHORIZATION_FAILED')) {
      return new KafkaAuthorizationDeniedError('consuming', code, refusal, { topic, groupId })
    }
  }
  return named
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
