import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { Logger, Metrics } from '@rollcall/observability'
import { type Effects, effectsOf } from './apply-effects.js'
import { type Clock, systemClock } from './clock.js'
import type { ProjectedEvent, Projection } from './define-projection.js'
import { type GapHealer, gapHealer, type Heal } from './heal-gaps.js'
import type { LogSource } from './log-source.js'
import { ProjectionInvalidError, ProjectionUnknownError, RebuildRunningError } from './projection-errors.js'
import { projectionMetrics } from './projection-metrics.js'
import { type ProjectionRunner, projectionRunner } from './projection-runner.js'
import { type ProjectionStatus, projectionStatus } from './projection-status.js'
import type { ProjectionStore } from './projection-store.js'
import { projectionRebuilder } from './rebuild-projection.js'
import { type DeadLetters, redrive } from './redrive.js'
import { type Rehearsed, rehearseValues } from './rehearse.js'
import { type Replayer, type ReplayReport, type ReplayRequest, replayer } from './replay/replay-projection.js'
import { type AnnounceOptions, announcer } from './roll-call/announcer.js'
import { type AppliedListener, appliedFeed } from './roll-call/applied-feed.js'
import { type UserProgress, userProgress } from './roll-call/user-progress.js'
import type { UserStanding } from './roll-call/users-progress.js'
import type { UserRegistry } from './user-registry.js'
import { type Verifier, type VerifyReport, type VerifyRequest, verifier } from './verify/verify-projection.js'
import { versionWaits } from './wait-for-version.js'

/** Runs projections over one database until closed. Any number of processes may run the same ones and share the load. */
export function runProjections<E extends ProjectedEvent, Tx>(
  projections: readonly Projection<E, Tx>[],
  options: RunProjectionsOptions<E, Tx>,
): RunningProjections {
  refuseEqualNames(projections.map(({ name }) => name))
  const { kafka, database: store, codec, logger, clock = systemClock } = options
  const instance = options.instance ?? `${hostname()}:${process.pid}:${randomBytes(3).toString('hex')}`
  const groupId = options.groupId ?? 'projections'
  const metrics = projectionMetrics(options.metrics)
  const waits = versionWaits((name, userId) => store.knownVersion(name, userId), clock)
  const feed = appliedFeed()
  const decode = (value: Buffer) => codec.decode(value)

  const running = new Map<string, Running<E, Tx>>()
  for (const projection of projections) {
    const { name } = projection
    const effects = effectsOf(projection)
    const rebuilder = projectionRebuilder({
      projection,
      effects,
      kafka,
      store,
      decode,
      logger,
      metrics,
      clock,
      instance,
    })
    const parkingLimits = { users: options.maxParkedUsers ?? 1_000, lettersPerUser: options.maxLettersPerUser ?? 1_000 }
    const letters = redrive({ projection, effects, store, decode, logger, clock })
    const { registry, heal = registry?.events } = options
    const healer =
      heal &&
      gapHealer({
        projection,
        heal,
        state: registry?.state,
        redrive: letters,
        store,
        decode,
        logger,
        metrics,
        clock,
        parkingLimits,
      })
    const replays = replayer({ projection, effects, store, kafka, decode, heal, logger, clock })
    const checks = verifier({ projection, effects, store, kafka, decode, registry, healer, logger, metrics, clock })
    const runner = projectionRunner({
      projection,
      effects,
      kafka,
      store,
      decode,
      logger,
      metrics,
      clock,
      instance,
      groupId,
      maxEventsPerTransaction: options.maxEventsPerTransaction ?? 500,
      maxHandlerAttempts: options.maxHandlerAttempts ?? 5,
      parkingLimits,
      concurrency: options.concurrency ?? 2,
      controlIntervalMs: options.controlIntervalMs ?? 500,
      stuckAfterMs: options.stuckAfterMs ?? 30_000,
      applied(versions) {
        waits.applied(name, versions)
        feed.told(name, versions)
      },
      parked: () => healer?.wake(),
      seen: (row) => rebuilder.watch(row),
    })
    running.set(name, { projection, effects, runner, rebuilder, letters, healer, checks, replays })
  }

  const named = (name: string) => {
    const found = running.get(name)
    if (found === undefined) throw new ProjectionUnknownError(name, [...running.keys()])
    return found
  }
  const all = [...running.values()]
  const status = () => projectionStatus(all, { kafka, store, clock })
  const { announce } = options
  const announcing = announce && announcer({ ...announce, kafka, status, instance, groupId, logger, clock })

  return {
    async start() {
      for (const { projection, rebuilder } of all) {
        const row = await store.register(projection, projection.topic.name)
        await rebuilder.sweep()
        if (row.version < projection.version) {
          await rebuilder.start('a newer version of the projection').catch((error: unknown) => {
            // Another process of the new version was first.
            if (!(error instanceof RebuildRunningError)) throw error
          })
        }
      }
      await Promise.all(all.map(({ runner }) => runner.start()))
      for (const { healer } of all) healer?.start()
      announcing?.start()
    },
    async close() {
      waits.close()
      await Promise.all([
        announcing?.close(),
        ...all.flatMap(({ runner, rebuilder, healer }) => [runner.close(), rebuilder.close(), healer?.close()]),
      ])
    },
    status,
    async waitFor(userId, version, timeoutMs) {
      await Promise.all([...running.keys()].map((name) => waits.waitFor(name, userId, version, timeoutMs)))
    },
    async pause(name) {
      const { runner } = named(name)
      await store.setState(name, 'paused')
      await runner.look()
    },
    async resume(name) {
      const { runner, healer } = named(name)
      await store.setState(name, 'running')
      await runner.look()
      healer?.wake()
    },
    async rebuild(name) {
      const { runner, rebuilder } = named(name)
      await rebuilder.start('asked for')
      await runner.look()
    },
    deadLetters: (name) => named(name).letters,
    verify: async (name, request) => named(name).checks.verify(request),
    replay: async (name, request) => named(name).replays.replay(request),
    rehearse: async (name, values) => rehearseValues(values, { decode, effects: named(name).effects, store }),
    userProgress: async (name, userId) => userProgress(store, named(name).projection.name, userId),
    usersProgress: async (name, userIds) => store.usersProgress(named(name).projection.name, userIds),
    follow: (name, listener) => feed.follow(named(name).projection.name, listener),
    async checkProgress() {
      for (const { runner } of all) runner.checkProgress()
    },
  }
}

function refuseEqualNames(names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) {
    throw new ProjectionInvalidError(twice, 'two projections have this name; each needs its own')
  }
}

interface Running<E extends ProjectedEvent, Tx> {
  readonly projection: Projection<E, Tx>
  readonly effects: Effects<E, Tx>
  readonly runner: ProjectionRunner
  readonly rebuilder: ReturnType<typeof projectionRebuilder>
  readonly letters: DeadLetters
  readonly healer: GapHealer | undefined
  readonly checks: Verifier
  readonly replays: Replayer
}

export interface RunProjectionsOptions<E extends ProjectedEvent, Tx> {
  readonly kafka: LogSource
  /** `pgStore(pool)` or `prismaStore(prisma)`. */
  readonly database: ProjectionStore<Tx>
  readonly codec: EventDecoder<E>
  readonly logger: Logger
  readonly metrics: Metrics
  /** Prefix of the consumer groups, one group per projection: `<groupId>.<name>`. @default 'projections' */
  readonly groupId?: string
  /** Names this process in checkpoints. @default host name, process id and a random part */
  readonly instance?: string
  readonly clock?: Clock
  /** Most events in one transaction. @default 500 */
  readonly maxEventsPerTransaction?: number
  /** Transactions of one projection at the same time, each with as many partitions as have something. @default 2 */
  readonly concurrency?: number
  /** How often pause, resume and rebuild by other processes are looked for. @default 500 */
  readonly controlIntervalMs?: number
  /** Lag without progress for this long turns readiness red. @default 30000 */
  readonly stuckAfterMs?: number
  /** Tries of a handler whose error says it is retryable, before it counts as a permanent failure. @default 5 */
  readonly maxHandlerAttempts?: number
  /** Where missing versions come from; `healFromRegistry` is one. Without it a version gap waits for an operator. */
  readonly heal?: Heal
  /** The user registry: what read models are compared with, and where missing events come from when `heal` does not say. */
  readonly registry?: UserRegistry
  /** Announces each projection on the roll call, so that others can ask who has applied a change. */
  readonly announce?: AnnounceOptions
  /** Most parked users of a projection; at one more the partition stops. @default 1000 */
  readonly maxParkedUsers?: number
  /** Most records that wait behind one parked user; at one more the partition stops. @default 1000 */
  readonly maxLettersPerUser?: number
}

/** What the runner needs of a codec; `createCodec(userLifecycle, …)` is one. */
export interface EventDecoder<E> {
  decode(value: Buffer): E | Promise<E>
}

export interface RunningProjections {
  /** Resolves when every projection has joined its group and claimed its partitions. */
  start(): Promise<void>
  /** Finishes the transactions under way, then leaves the groups. */
  close(): Promise<void>
  status(): Promise<ProjectionStatus[]>
  /**
   * Resolves when this database has applied the version of the user, whichever process does it.
   * @throws ProjectionBehindError after `timeoutMs`.
   */
  waitFor(userId: string, version: number, timeoutMs: number): Promise<void>
  /** Stops applying, in every process, until `resume`; survives restarts. */
  pause(name: string): Promise<void>
  /** Goes on after a pause, and tries again each partition that stopped. */
  resume(name: string): Promise<void>
  /** Starts a rebuild and resolves when it has begun; `status` shows its progress. */
  rebuild(name: string): Promise<void>
  /** The parked users of a projection. @throws ProjectionUnknownError */
  deadLetters(name: string): DeadLetters
  /** Compares a projection with the user registry, without stopping anything. @throws ProjectionUnknownError */
  verify(name: string, request: VerifyRequest): Promise<VerifyReport>
  /** Applies events once more that are applied already, through the handler as it is now. @throws ProjectionUnknownError */
  replay(name: string, request: ReplayRequest): Promise<ReplayReport>
  /**
   * Runs record values through a projection, each in a transaction that is rolled back: would this build take them?
   *
   * @returns one outcome per value, null when it would. @throws ProjectionUnknownError
   */
  rehearse(name: string, values: readonly Buffer[]): Promise<Rehearsed[]>
  /** How far a projection is with one user. @throws ProjectionUnknownError */
  userProgress(name: string, userId: string): Promise<UserProgress>
  /** How far a projection is with each of many users, in the order asked. @throws ProjectionUnknownError */
  usersProgress(name: string, userIds: readonly string[]): Promise<UserStanding[]>
  /**
   * Calls back after each commit of this process with what it applied; the commits of others are found by asking. Answers
   * how to stop. @throws ProjectionUnknownError
   */
  follow(name: string, listener: AppliedListener): () => void
  /** Rejects unless every projection of this process makes progress; for readiness. */
  checkProgress(): Promise<void>
}
