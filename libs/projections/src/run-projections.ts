import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { Logger, Metrics } from '@rollcall/observability'
import { type Clock, systemClock } from './clock.js'
import type { ProjectedEvent, Projection } from './define-projection.js'
import type { LogSource } from './log-source.js'
import type { Heal } from './parking/heal-gaps.js'
import type { DeadLetters } from './parking/redrive.js'
import { type Rehearsed, rehearseValues } from './parking/rehearse.js'
import { ProjectionInvalidError, ProjectionUnknownError } from './projection-errors.js'
import { projectionMetrics } from './projection-metrics.js'
import { type ProjectionStatus, projectionStatus } from './projection-status.js'
import type { RebuildPlan } from './rebuild/plan-rebuild.js'
import type { RebuildRequest } from './rebuild/rebuild-progress.js'
import { type ProjectionRebuilder, projectionRebuilder } from './rebuild/rebuilder.js'
import type { UserRegistry } from './registry/user-registry.js'
import { type Replayer, type ReplayReport, type ReplayRequest, replayer } from './replay/replay-projection.js'
import { type AnnounceOptions, announcer } from './roll-call/announcer.js'
import { type AppliedListener, appliedFeed } from './roll-call/applied-feed.js'
import { type UserProgress, userProgress } from './roll-call/user-progress.js'
import type { UserStanding } from './roll-call/users-progress.js'
import { type SideFollowers, sideFollowers } from './runner/side-followers.js'
import { type RunningSide, runSide } from './runner/side-runner.js'
import type { ProjectionStore } from './store/projection-store.js'
import { type Verifier, type VerifyReport, type VerifyRequest, verifier } from './verify/verify-projection.js'
import { type VersionWaits, versionWaits } from './wait-for-version.js'

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
  const feed = appliedFeed()
  const decode = (value: Buffer) => codec.decode(value)

  const running = new Map<string, Running<E, Tx>>()
  const sideOptions = {
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
    parkingLimits: { users: options.maxParkedUsers ?? 1_000, lettersPerUser: options.maxLettersPerUser ?? 1_000 },
    concurrency: options.concurrency ?? 2,
    controlIntervalMs: options.controlIntervalMs ?? 500,
    stuckAfterMs: options.stuckAfterMs ?? 30_000,
    heal: options.heal ?? options.registry?.events,
    state: options.registry?.state,
  }
  for (const projection of projections) {
    const { name } = projection
    const waits = versionWaits({
      projection: name,
      ask: async (userIds) =>
        new Map((await store.usersProgress(name, userIds)).map(({ userId, version }) => [userId, version])),
      clock,
    })
    const followers = sideFollowers({ projection, logger, run: (side) => runSide(projection, side, sideOptions) })
    const live: RunningSide<E, Tx> = runSide(
      projection,
      {
        applied(versions) {
          waits.applied(versions)
          feed.told(name, versions)
        },
        seen(row, sides) {
          followers.match(sides)
          rebuilder.watch(row, sides)
        },
        took: (ms) => rebuilder.lived(ms),
      },
      sideOptions,
    )
    const lookAtSides = async () => {
      await live.runner.look()
      await followers.look()
    }
    const { effects, healer } = live
    const rebuilder = projectionRebuilder({ ...sideOptions, projection, effects, lookAtSides })
    const checks = verifier({ ...sideOptions, projection, effects, healer, registry: options.registry })
    const replays = replayer({ ...sideOptions, projection, effects })
    running.set(name, { projection, waits, live, followers, rebuilder, checks, replays })
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
        await store.register(projection, projection.topic.name)
        await rebuilder.begin()
      }
      await Promise.all(all.map(({ live }) => live.start()))
      announcing?.start()
    },
    async close() {
      for (const { waits } of all) waits.close()
      await Promise.all([
        announcing?.close(),
        ...all.flatMap(({ live, followers, rebuilder }) => [live.close(), followers.close(), rebuilder.close()]),
      ])
    },
    status,
    async waitFor(userId, version, timeoutMs) {
      await Promise.all(all.map(({ waits }) => waits.waitFor(userId, version, timeoutMs)))
    },
    async pause(name) {
      const { live } = named(name)
      await store.setState(name, 'paused')
      await live.runner.look()
    },
    async resume(name) {
      const { live } = named(name)
      await store.setState(name, 'running')
      await live.runner.look()
      live.healer?.wake()
    },
    async rebuild(name, request) {
      const { live, rebuilder } = named(name)
      await rebuilder.start('asked for', request)
      await live.runner.look()
    },
    planRebuild: async (name) => named(name).rebuilder.plan(),
    cutOver: (name, actor = 'local') => named(name).rebuilder.cutOver(actor),
    rollBack: (name, actor = 'local') => named(name).rebuilder.rollBack(actor),
    abandonRebuild: (name, actor = 'local') => named(name).rebuilder.abandon(actor),
    deadLetters: (name) => named(name).live.letters,
    verify: async (name, request) => named(name).checks.verify(request),
    replay: async (name, request) => named(name).replays.replay(request),
    rehearse: async (name, values) => rehearseValues(values, { decode, effects: named(name).live.effects, store }),
    userProgress: async (name, userId) => userProgress(store, named(name).projection.name, userId),
    usersProgress: async (name, userIds) => store.usersProgress(named(name).projection.name, userIds),
    follow: (name, listener) => feed.follow(named(name).projection.name, listener),
    async checkProgress() {
      for (const { live } of all) live.runner.checkProgress()
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
  readonly waits: VersionWaits
  readonly live: RunningSide<E, Tx>
  readonly followers: SideFollowers
  readonly rebuilder: ProjectionRebuilder
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
  /** Starts a rebuild and resolves when it has begun; `status` shows its progress. @throws RebuildRunningError */
  rebuild(name: string, request?: RebuildRequest): Promise<void>
  /** What a rebuild would do, and how long it would take; does nothing. */
  planRebuild(name: string): Promise<RebuildPlan>
  /** Puts a side that was built but differs in the place of the live one. @throws SideMissingError, SidesApartError */
  cutOver(name: string, actor?: string): Promise<void>
  /** Goes back to the side from before the last cut-over. @throws SideMissingError, SidesApartError */
  rollBack(name: string, actor?: string): Promise<void>
  /** Drops a side that is being built, or was built and not taken. @throws SideMissingError */
  abandonRebuild(name: string, actor?: string): Promise<void>
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
