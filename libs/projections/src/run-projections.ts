import { RollcallError } from '@rollcall/errors'
import type { Logger, Metrics } from '@rollcall/observability'
import type { Clock } from './clock.js'
import type { ProjectedEvent, Projection } from './define-projection.js'
import type { LogSource } from './log-source.js'
import type { PartitionFailure, ProjectionState, ProjectionStore, RebuildProgress } from './projection-store.js'

/** Runs projections over one topic and one database until closed. Any number of processes may run the same ones. */
export function runProjections<E extends ProjectedEvent, Tx>(
  projections: readonly Projection<E, Tx>[],
  options: RunProjectionsOptions<E, Tx>,
): RunningProjections {
  throw new RollcallError({ code: 'ERR_TODO', message: `${projections.length} ${options.groupId}` })
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
  /** Partitions of one projection worked on at the same time. @default 2 */
  readonly concurrency?: number
  /** How often pause, resume and rebuild by other processes are looked for. @default 500 */
  readonly controlIntervalMs?: number
  /** Lag without progress for this long turns readiness red. @default 30000 */
  readonly stuckAfterMs?: number
  /** Tries of a handler whose error says it is retryable, before it counts as a permanent failure. @default 5 */
  readonly maxHandlerAttempts?: number
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
  /** Rejects unless every projection of this process makes progress; for readiness. */
  checkProgress(): Promise<void>
}

export interface ProjectionStatus {
  readonly name: string
  readonly version: number
  readonly topic: string
  readonly state: ProjectionState
  readonly lagRecords: number
  readonly lagSeconds: number
  readonly partitions: readonly PartitionStatus[]
  readonly rebuild: RebuildProgress | null
}

export interface PartitionStatus {
  readonly partition: number
  readonly position: number
  readonly highWatermark: number
  readonly lagRecords: number
  /** Age of the oldest change not yet applied, at most; 0 without lag. */
  readonly lagSeconds: number
  readonly state: 'running' | 'paused' | 'stopped' | 'unclaimed'
  readonly claimedBy: string | null
  readonly failure: PartitionFailure | null
}
