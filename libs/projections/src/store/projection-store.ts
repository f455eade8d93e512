import type { Pool, Sql } from '@rollcall/database'
import type { DeadLetter, ParkedUser, Parking, ParkingLimits } from '../parking/parking.js'
import type { PartitionFailure } from '../parking/partition-failure.js'
import type { RebuildProgress } from '../rebuild/rebuild-progress.js'
import type { UserStanding } from '../roll-call/users-progress.js'
import type { TableRows } from './table-rows.js'

/**
 * The port to the database that holds a read model, its checkpoints and its users' versions.
 * `pgStore` and `prismaStore` implement it over Postgres; a simulator may implement it in memory.
 */
export interface ProjectionStore<Tx> {
  /** Announces a projection; answers what the database knows of it. Idempotent, safe in parallel. */
  register(projection: ProjectionKey, topic: string): Promise<ProjectionRow>
  /** Raises the epoch of each partition in one statement; a partition never seen starts at the offset given. */
  claim(name: string, owner: string, startAt: ReadonlyMap<number, number>): Promise<Claim[]>
  /** One transaction: all of `work` or nothing. */
  transaction<R>(work: (transaction: StoreTransaction<Tx>) => Promise<R>): Promise<R>
  /** Stops a partition: stores why, unless the claim is no longer ours (then false). */
  fail(claim: Claim, failure: PartitionFailure): Promise<boolean>
  /** The rows of the named projections with their checkpoints, in one statement. */
  read(names: readonly string[]): Promise<ProjectionRow[]>
  /** The version of the user this database has applied; 0 when it never saw one. */
  knownVersion(name: string, userId: string): Promise<number>
  /** Version and parking of many users, in the order asked. */
  usersProgress(name: string, userIds: readonly string[]): Promise<UserStanding[]>
  /** The parked users of each partition. */
  parkedUsers(name: string, partitions: readonly number[]): Promise<Map<number, Set<string>>>
  /** Parked users with why and how many records wait, the longest parked first; records that name no user apart. */
  listParked(name: string, limit: number): Promise<ParkedList>
  /** One parked user; undefined when it is not parked. */
  findParked(name: string, userId: string): Promise<ParkedUser | undefined>
  /** The users whose last failure is a version gap, with that failure, the longest parked first. */
  gaps(name: string, limit: number): Promise<ReadonlyMap<string, PartitionFailure>>
  /** Pauses or resumes; resuming clears the failures of all partitions, so that their owners try again. */
  setState(name: string, state: 'running' | 'paused'): Promise<void>
  /** Shows the progress of a rebuild; `done` and `failed` also end the state `rebuilding`. */
  setRebuild(name: string, progress: RebuildProgress): Promise<void>
  /** True when the same transaction may succeed later without anybody changing it. */
  isTransient(error: unknown): boolean
  /** Runs statements outside any transaction of the runner. */
  readonly outside: Sql
  /** Enables rebuilds beside the live read model. Without it a rebuild empties the read model and replays. */
  readonly pool?: Pool
  /** The same store with handlers that find their tables in this schema first; absent when the driver cannot do it. */
  inSchema?(schema: string): ProjectionStore<Tx>
}

export interface ProjectionKey {
  readonly name: string
  readonly version: number
}

export type ProjectionState = 'running' | 'paused' | 'rebuilding'

export interface ProjectionRow {
  readonly name: string
  /** The highest version that ever registered. */
  readonly version: number
  readonly topic: string
  readonly state: ProjectionState
  readonly rebuild: RebuildProgress | null
  /** How long ago the progress was written; the process that rebuilds writes every second. */
  readonly rebuildAgeMs: number | null
  readonly checkpoints: readonly Checkpoint[]
  readonly parkedUsers: number
  /** When it is dropped, if it is a side that is not live. */
  readonly expiresAt: Date | null
}

export interface ParkedList {
  readonly users: readonly ParkedUser[]
  readonly totalUsers: number
  readonly unnamed: readonly {
    readonly partition: number
    readonly offset: number
    readonly failure: PartitionFailure
  }[]
}

export interface Checkpoint {
  readonly partition: number
  /** Offset of the next record to apply. */
  readonly position: number
  readonly epoch: number
  readonly claimedBy: string | null
  readonly claimedAt: Date | null
  /** Timestamp of the last record applied. */
  readonly recordAt: Date | null
  readonly failure: PartitionFailure | null
  /** Goes up when somebody else than the owner releases or drops parked records, or sets a halt. */
  readonly parking: number
  /** Offset the owner must not go beyond for the moment, because two sides are to be compared or swapped there. */
  readonly haltAt: number | null
}

export interface Claim {
  readonly name: string
  readonly partition: number
  readonly epoch: number
  readonly position: number
  readonly owner: string
  /** The checkpoint's `parking` that the owner's knowledge of its parked users and of `haltAt` belongs to. */
  readonly parking: number
  /** As in Checkpoint. */
  readonly haltAt: number | null
}

export interface OpenParked {
  readonly partition: number
  /** As in ParkedUser. */
  readonly failures: readonly PartitionFailure[]
  readonly knownVersion: number
  readonly letters: readonly DeadLetter[]
}

export interface DroppedLetters {
  readonly dropped: number
  /** The highest version among them; 0 when none names one. */
  readonly version: number
  readonly left: number
}

export interface OperatorAct {
  readonly projection: string
  readonly act: string
  readonly actor: string
  readonly userId?: string
  readonly reason?: string
  readonly facts?: Readonly<Record<string, unknown>>
}

/** From `claim.position` to the offset `to`. */
export interface Move {
  readonly claim: Claim
  readonly to: number
  /** Timestamp of the last record on the way. */
  readonly recordAt: Date | undefined
}

/** What one transaction of the runner can do, beside the handler's own effects through `tx`. */
export interface StoreTransaction<Tx> {
  readonly tx: Tx
  readonly sql: Sql
  /** For `table` projections. */
  readonly rows: TableRows
  /**
   * Moves the checkpoints of one projection, if epochs, positions and parking are still ours, and reads the known versions of the
   * users named. Undefined when one of the partitions was lost: the caller must roll back.
   */
  advance(moves: readonly Move[], userIds: readonly string[]): Promise<Map<string, number> | undefined>
  /** Keeps records aside and parks their users; answers the first record that does not fit the limits: the caller must roll back. */
  park(
    name: string,
    parkings: readonly Parking[],
    limits: ParkingLimits,
  ): Promise<{ readonly offset: number; readonly problem: string } | undefined>
  /** Holds a parked user's partition until the end of the transaction, and reads what waits, in order; undefined when not parked. */
  openParked(name: string, userId: string, limit: number): Promise<OpenParked | undefined>
  /** Drops the waiting records up to the offset; the user is released when none is left. */
  dropLetters(name: string, userId: string, upTo: number): Promise<DroppedLetters>
  addFailure(name: string, userId: string, failure: PartitionFailure): Promise<void>
  /** Notes what an operator did. */
  noteAct(act: OperatorAct): Promise<void>
  recordVersions(name: string, versions: ReadonlyMap<string, number>): Promise<void>
  /** Forgets all versions, sends positions to the beginning and raises the epochs: every runner is fenced and claims again. */
  rewind(projection: ProjectionKey, startAt: ReadonlyMap<number, number>, progress: RebuildProgress): Promise<void>
}
