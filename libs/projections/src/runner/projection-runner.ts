import type { KafkaConsumer, RecordBatch } from '@rollcall/kafka'
import { type Logger, serializeError, step } from '@rollcall/observability'
import type { Effects } from '../apply/apply-effects.js'
import { type ApplyOptions, applyRecords, type Held, type Outcome } from '../apply/apply-records.js'
import { applyTogether } from '../apply/apply-together.js'
import type { Decision } from '../apply/decide.js'
import { retryTransient } from '../apply/retry-transient.js'
import type { Clock } from '../clock.js'
import type { ProjectedEvent, Projection } from '../define-projection.js'
import type { LogSource } from '../log-source.js'
import type { ParkingLimits } from '../parking/parking.js'
import type { PartitionFailure } from '../parking/partition-failure.js'
import {
  type FailureCode,
  type FailurePlace,
  ProjectionStuckError,
  ProjectionVersionOutdatedError,
  partitionFailure,
} from '../projection-errors.js'
import type { ProjectionMetrics } from '../projection-metrics.js'
import type { Checkpoint, Claim, ProjectionRow, ProjectionStore } from '../store/projection-store.js'

/** What a runner takes from the process it runs in, whatever the side. */
export interface RunnerSettings<Tx> {
  readonly kafka: LogSource
  readonly store: ProjectionStore<Tx>
  readonly logger: Logger
  readonly metrics: ProjectionMetrics
  readonly clock: Clock
  readonly groupId: string
  readonly instance: string
  readonly maxEventsPerTransaction: number
  readonly maxHandlerAttempts: number
  readonly parkingLimits: ParkingLimits
  readonly concurrency: number
  readonly controlIntervalMs: number
  readonly stuckAfterMs: number
}

export interface RunnerOptions<E extends ProjectedEvent, Tx> extends RunnerSettings<Tx> {
  readonly projection: Projection<E, Tx>
  readonly effects: Effects<E, Tx>
  /** True on a side that is not live. */
  readonly isAside: boolean
  readonly decode: (value: Buffer) => E | Promise<E>
  /** Told which versions each commit brought. */
  readonly applied: (versions: ReadonlyMap<string, number>) => void
  /** Told when a commit parked users. */
  readonly parked: () => void
  /** Rows the control loop reads beside the projection's own. */
  readonly alsoSeen: readonly string[]
  /** Told what the control loop read, several times a second. */
  readonly seen: (row: ProjectionRow, others: readonly ProjectionRow[]) => void
  /** Told how long each transaction took. */
  readonly took: (ms: number) => void
}

/** Runs one projection in this process: claims partitions, applies their records, obeys pause, resume and rebuild. */
export interface ProjectionRunner {
  start(): Promise<void>
  close(): Promise<void>
  /** Looks at once for what another process, or this one, asked for. */
  look(): Promise<void>
  /** Rejects unless this process makes progress. @throws ProjectionStuckError, ProjectionVersionOutdatedError */
  checkProgress(): void
  /** When this process last saw the partition without lag, milliseconds since the epoch. */
  caughtUpAt(partition: number): number | undefined
}

interface HeldPartition extends Held {
  failure?: PartitionFailure
  highWatermark: number
  /** When it last moved or had nothing to do. */
  progressAt: number
  caughtUpAt?: number
  /** When it stopped or was lost. */
  changedAt: number
  /** First offset of a batch that began beyond our position, asked for once more. */
  hole?: number
  /** It has arrived where it was asked to halt. */
  isHalted?: boolean
}

export function projectionRunner<E extends ProjectedEvent, Tx>(options: RunnerOptions<E, Tx>): ProjectionRunner {
  const { projection, kafka, store, logger, metrics, clock, instance } = options
  const { name, topic } = projection
  const closing = new AbortController()
  const held = new Map<number, HeldPartition>()
  let paused = false
  /** The version that owns the read model, when it is not ours. */
  let ownedBy: number | undefined
  let joined = false
  let controlLoop: Promise<void> | undefined
  let offsetsReadAt = 0

  let nap = new AbortController()
  const lookSoon = () => nap.abort()

  const persist = <T>(work: () => Promise<T>) =>
    retryTransient(work, { name, clock, logger, signal: closing.signal, isTransient: store.isTransient })

  const applyOptions: ApplyOptions<E, Tx> = {
    ...options,
    name,
    signal: closing.signal,
    committed: (partition, decision, tookMs) => onCommit(partition as HeldPartition, decision, tookMs),
  }

  const apply = applyTogether({
    ...applyOptions,
    concurrency: options.concurrency,
    maxEventsPerTransaction: options.maxEventsPerTransaction,
  })

  const consumer: KafkaConsumer = kafka.consumer({
    groupId: `${options.groupId}.${name}`,
    topic: topic.name,
    // All: what runs at the same time is decided by transaction, see applyTogether.
    concurrency: Number.POSITIVE_INFINITY,
    assigned: (partitions) => inTurn(() => assigned(partitions)),
    batch,
    revoked(partitions) {
      for (const partition of partitions) held.delete(partition)
      showState()
    },
  })

  // Claims come from joins and from the control loop: one at a time, or the later epoch would belong to the earlier caller.
  let turn: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work)
    turn = mine.catch(() => {})
    return mine
  }

  async function assigned(partitions: readonly number[]): Promise<Map<number, number>> {
    const row = await persist(ownRow)
    held.clear()
    if (row === undefined) return new Map()
    paused = row.state === 'paused'
    joined = true
    if (row.version !== projection.version) {
      standBack(row.version)
      return new Map()
    }
    await claim(partitions, row)
    showState()
    return new Map(
      [...held].map(
        ([
          partition,
          {
            claim: { position },
          },
        ]) => [partition, position],
      ),
    )
  }

  /**
   * A side is made by its rebuild, and by nobody else: one that was dropped while this process joined its group came back
   * as a ghost at position 0, with no tables of its own.
   */
  async function ownRow(): Promise<ProjectionRow | undefined> {
    if (!options.isAside) return store.register(projection, topic.name)
    return (await store.read([name]))[0]
  }

  /** Takes the partitions over, and stops those whose position the log no longer has. */
  async function claim(partitions: readonly number[], { rebuild }: ProjectionRow): Promise<void> {
    const replayTo = rebuild?.kind === 'replay' && rebuild.phase === 'catching up' ? rebuild.targets : undefined
    const low = new Map((await kafka.offsets(topic.name)).map((one) => [one.partition, one.low]))
    const startAt = new Map(partitions.map((partition) => [partition, low.get(partition) ?? 0]))
    step('runner.claiming')
    const claims = await persist(() => store.claim(name, instance, startAt))
    step('runner.claimed')
    const parked = await persist(() => store.parkedUsers(name, partitions))
    // Read after the claim: the claim may have waited for a batch that went beyond what was the end before it.
    const offsets = new Map((await kafka.offsets(topic.name)).map((one) => [one.partition, one]))
    for (const one of claims ?? []) {
      const at = clock.now()
      const { low = 0, high = 0 } = offsets.get(one.partition) ?? {}
      const partition: HeldPartition = {
        claim: one,
        state: 'running',
        parked: parked?.get(one.partition) ?? new Set(),
        ...(replayTo === undefined ? {} : { replayTo: replayTo[one.partition] ?? 0 }),
        highWatermark: high,
        progressAt: at,
        changedAt: at,
      }
      held.set(one.partition, partition)
      if (one.position < low || one.position > high) await stop(partition, ...positionLost(one, low, high))
    }
    const running = partitions
      .flatMap((partition) => held.get(partition) ?? [])
      .filter(({ state }) => state === 'running')
    // On a join too: what is handed out while nothing is held is dropped, and the consumer has gone on behind it.
    for (const { claim: mine } of running) consumer.seek(mine.partition, mine.position)
    if (paused) consumer.pause(running.map(numberOf))
    else consumer.resume(running.map(numberOf))
    logger.info(
      { projection: name, partitions: claims?.map(({ partition }) => partition) },
      'projection partitions claimed',
    )
  }

  function positionLost(
    { partition, position }: Claim,
    low: number,
    high: number,
  ): [FailureCode, string, FailurePlace] {
    const problem =
      position < low
        ? `Position ${position} is gone: the topic begins at ${low}, retention or deletion removed events that were not applied`
        : `Position ${position} lies beyond the end ${high} of the topic: it was emptied or created anew`
    const place = { topic: topic.name, partition, offset: position }
    return [
      'ERR_PROJECTION_POSITION_LOST',
      `${problem}; rebuild the projection, or restore the topic and resume`,
      place,
    ]
  }

  async function batch(records: RecordBatch): Promise<void> {
    const partition = held.get(records.partition)
    if (partition === undefined || !works(partition)) return
    partition.highWatermark = records.highWatermark
    const { position } = partition.claim
    const todo = records.records.filter(({ offset }) => offset >= position)
    const first = todo[0]
    if (first === undefined) return
    // A batch that begins later than asked: offsets may really be missing (compaction), or something was passed over.
    // Asking once more tells the two apart.
    if (first.offset > position && partition.hole !== first.offset) {
      partition.hole = first.offset
      logger.warn(
        { projection: name, partition: records.partition, position, offset: first.offset },
        'projection asks again for a skipped stretch',
      )
      consumer.seek(records.partition, position)
      return
    }
    for (let from = 0; from < todo.length; ) {
      if (records.isStale() || !works(partition)) return
      const limit = todo[from + options.maxEventsPerTransaction]?.offset ?? records.nextOffset
      const to = cutAt(partition, todo[from]?.offset ?? 0, limit)
      const part = todo.slice(from, from + options.maxEventsPerTransaction).filter(({ offset }) => offset < to)
      if (part.length === 0) return halt(partition)
      const outcome = await applyRecords(partition, records, part, to, applyOptions, apply)
      if (outcome.end !== 'applied') return onEnd(partition, outcome)
      // Asked to halt on the way.
      if (partition.claim.position < to) return halt(partition)
      from += part.length
      await records.heartbeat()
    }
  }

  /** Where a stretch must end before `limit`: at a halt, and where a replay ends. */
  function cutAt({ claim: { haltAt }, replayTo }: HeldPartition, from: number, limit: number): number {
    const replayEnd = replayTo !== undefined && from < replayTo ? replayTo : limit
    return Math.min(limit, replayEnd, haltAt ?? limit)
  }

  /** Waits for the halt to be taken back; the consumer must not hand out the same records over and over. */
  function halt(partition: HeldPartition): void {
    partition.isHalted = true
    consumer.pause([numberOf(partition)])
    lookSoon()
  }

  const works = (partition: HeldPartition) =>
    partition.state === 'running' && !partition.isHalted && !paused && ownedBy === undefined && !closing.signal.aborted

  function onCommit(partition: HeldPartition, { versions, parks }: Decision, tookMs: number): void {
    options.took(tookMs)
    partition.progressAt = clock.now()
    showLag(partition)
    options.applied(versions)
    if (parks.size > 0) options.parked()
  }

  async function onEnd(partition: HeldPartition, outcome: Outcome): Promise<void> {
    if (outcome.end === 'stopped') await stop(partition, outcome.code, outcome.problem, outcome.place)
    if (outcome.end === 'fenced') {
      partition.changedAt = clock.now()
      lookSoon()
    }
    showState()
  }

  /** Stops one partition, loudly; the others flow. The checkpoint keeps why, for other processes and the next start. */
  async function stop(
    partition: HeldPartition,
    code: FailureCode,
    problem: string,
    place: FailurePlace,
  ): Promise<void> {
    const failure = partitionFailure(code, problem, place, new Date(clock.now()))
    partition.state = 'stopping'
    consumer.pause([place.partition])
    logger.error({ projection: name, failure }, 'projection partition stopped')
    await persist(() => store.fail(partition.claim, failure))
    partition.failure = failure
    partition.changedAt = clock.now()
    partition.state = 'stopped'
    showState()
  }

  async function control(): Promise<void> {
    while (!closing.signal.aborted) {
      nap = new AbortController()
      const isHalted = [...held.values()].some((one) => one.isHalted)
      const waitMs = isHalted ? Math.min(HALTED_LOOK_MS, options.controlIntervalMs) : options.controlIntervalMs
      await clock.wait(waitMs, AbortSignal.any([closing.signal, nap.signal]))
      if (closing.signal.aborted) return
      try {
        await look()
      } catch (error) {
        if (!store.isTransient(error))
          logger.warn({ projection: name, err: serializeError(error) }, 'projection control failed')
      }
    }
  }

  async function look(): Promise<void> {
    const askedAt = clock.now()
    const rows = await store.read([name, ...options.alsoSeen])
    const row = rows.find((one) => one.name === name)
    if (row === undefined) return
    options.seen(
      row,
      rows.filter((one) => one !== row),
    )
    metrics.parkedUsers.set({ projection: name }, row.parkedUsers)
    if (row.version !== projection.version) return standBack(row.version)
    if (ownedBy !== undefined) return inTurn(() => stepForward(row))
    await inTurn(() => obey(row, askedAt))
    // The admin call is the dearer one: every fourth look is enough for lag and for noticing that nothing moves.
    if (clock.now() - offsetsReadAt >= 4 * options.controlIntervalMs) await readHighWatermarks()
  }

  async function obey(row: ProjectionRow, askedAt: number): Promise<void> {
    if ((row.state === 'paused') !== paused) {
      paused = !paused
      logger.info({ projection: name }, paused ? 'projection paused' : 'projection resumed')
      const running = [...held.values()].filter(({ state }) => state === 'running')
      if (paused) consumer.pause(running.map(numberOf))
      else {
        // A batch may have been cut by the pause: read on from the checkpoint, not from where the consumer got to.
        for (const partition of running) consumer.seek(numberOf(partition), partition.claim.position)
        consumer.resume(running.map(numberOf))
      }
    }
    const checkpoints = new Map(row.checkpoints.map((checkpoint) => [checkpoint.partition, checkpoint]))
    const again = [...held.values()].filter((partition) => {
      const checkpoint = checkpoints.get(numberOf(partition))
      return checkpoint !== undefined && askedAt > partition.changedAt && mustReclaim(partition, checkpoint, askedAt)
    })
    // Dropped when this process joined, and there again since.
    const unclaimed = options.isAside ? consumer.assignment().filter((partition) => !held.has(partition)) : []
    if (again.length + unclaimed.length > 0) await claim([...again.map(numberOf), ...unclaimed], row)
    goOn([...held.values()].filter((one) => one.isHalted && !again.includes(one) && !mustHalt(one, checkpoints)))
    showState()
  }

  const mustHalt = (partition: HeldPartition, checkpoints: ReadonlyMap<number, Checkpoint>): boolean => {
    const haltAt = checkpoints.get(numberOf(partition))?.haltAt ?? null
    return haltAt !== null && partition.claim.position >= haltAt
  }

  /** Those halts were taken back, or ran out. */
  function goOn(partitions: readonly HeldPartition[]): void {
    for (const partition of partitions) {
      partition.isHalted = false
      partition.claim = { ...partition.claim, haltAt: null }
      if (partition.state !== 'running' || paused) continue
      consumer.seek(numberOf(partition), partition.claim.position)
      consumer.resume([numberOf(partition)])
    }
  }

  function mustReclaim(partition: HeldPartition, checkpoint: Checkpoint, askedAt: number): boolean {
    // A rebuild raised the epoch and left the partition to whoever reads it.
    if (checkpoint.epoch !== partition.claim.epoch && checkpoint.claimedBy === null) return true
    // Somebody resumed: the failure is gone from the checkpoint.
    if (partition.state === 'stopped') return checkpoint.epoch === partition.claim.epoch && checkpoint.failure === null
    // The database is older than it was: a fail-over that lost commits, a backup. A commit since the question looks so too.
    const { epoch, position } = partition.claim
    const wentBack = checkpoint.epoch < epoch || (checkpoint.epoch === epoch && checkpoint.position < position)
    if (wentBack && askedAt > partition.progressAt) return true
    // Taken over by another process: Kafka takes the partition from us too, in a moment. If it does not, the other died.
    if (partition.state === 'running' && checkpoint.epoch > partition.claim.epoch) {
      partition.state = 'lost'
      partition.changedAt = clock.now()
    }
    const lostForMs = partition.state === 'lost' ? clock.now() - partition.changedAt : 0
    return lostForMs > TAKEN_OVER_MS && consumer.assignment().includes(numberOf(partition))
  }

  async function readHighWatermarks(): Promise<void> {
    offsetsReadAt = clock.now()
    for (const { partition, high } of await kafka.offsets(topic.name)) {
      const mine = held.get(partition)
      if (mine === undefined) continue
      mine.highWatermark = Math.max(mine.highWatermark, high)
      showLag(mine)
    }
  }

  /** Another version of this projection owns the read model: this process must write nothing. */
  function standBack(version: number): void {
    if (ownedBy === undefined)
      logger.warn({ projection: name, version: projection.version, owner: version }, 'projection stands back')
    ownedBy = version
    consumer.pause(consumer.assignment())
  }

  /** Our version owns the read model, since a cut-over or a roll-back. */
  async function stepForward(row: ProjectionRow): Promise<void> {
    ownedBy = undefined
    paused = row.state === 'paused'
    held.clear()
    await claim(consumer.assignment(), row)
    logger.info({ projection: name, version: projection.version }, 'projection steps forward')
    showState()
  }

  function showLag(partition: HeldPartition): void {
    const lag = Math.max(0, partition.highWatermark - partition.claim.position)
    if (lag === 0 || paused) partition.progressAt = clock.now()
    if (lag === 0) partition.caughtUpAt = clock.now()
    metrics.lagRecords.set({ projection: name, partition: String(numberOf(partition)) }, lag)
  }

  function showState(): void {
    const stopped = [...held.values()].filter(({ state }) => state === 'stopped' || state === 'stopping').length
    metrics.stopped.set({ projection: name }, stopped)
    metrics.paused.set({ projection: name }, paused ? 1 : 0)
  }

  return {
    async start() {
      // Called again after a start that failed half-way: what runs already goes on.
      if (controlLoop !== undefined) return
      showState()
      await consumer.start()
      controlLoop = control()
    },
    async close() {
      closing.abort()
      await consumer.close()
      await controlLoop
    },
    look,
    checkProgress() {
      if (ownedBy !== undefined) throw new ProjectionVersionOutdatedError(name, projection.version, ownedBy)
      if (!joined) throw new ProjectionStuckError(name, 'it has not joined its consumer group yet')
      for (const partition of held.values()) {
        if (partition.failure !== undefined) {
          throw new ProjectionStuckError(
            name,
            `partition ${numberOf(partition)} has stopped: ${partition.failure.message}`,
            {
              ...partition.failure,
            },
          )
        }
        const lag = partition.highWatermark - partition.claim.position
        const stillMs = clock.now() - partition.progressAt
        if (lag > 0 && !paused && stillMs > options.stuckAfterMs) {
          throw new ProjectionStuckError(
            name,
            `partition ${numberOf(partition)} is ${lag} records behind and has not moved for ${stillMs} ms`,
          )
        }
      }
    },
    caughtUpAt: (partition) => held.get(partition)?.caughtUpAt,
  }
}

const TAKEN_OVER_MS = 10_000
/** A halt holds up every user of the partition: it must not last longer than the meeting it is for. */
const HALTED_LOOK_MS = 10

const numberOf = ({ claim }: Held) => claim.partition
