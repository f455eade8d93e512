export { type Clock, systemClock } from './clock.js'
export {
  defineProjection,
  type EventBatch,
  type EventHandlers,
  type HandlerContext,
  type LatestState,
  type PerEventProjection,
  type ProjectedEvent,
  type ProjectedTopic,
  type Projection,
  projectionsWith,
  type SetBasedProjection,
  type TableForm,
  type TableProjection,
  type TableRow,
} from './define-projection.js'
export type { LogSource } from './log-source.js'
export { projectionMigrations } from './migrations.js'
export type { Heal, HealRequest } from './parking/heal-gaps.js'
export type { DeadLetter, ParkedUser } from './parking/parking.js'
export type { PartitionFailure } from './parking/partition-failure.js'
export type { DeadLetters, DiscardRequest, RedriveResult, WhatIf } from './parking/redrive.js'
export type { Rehearsed } from './parking/rehearse.js'
export {
  EventsGoneError,
  EventsUnavailableError,
  FormUnsupportedError,
  ProjectionBehindError,
  ProjectionInvalidError,
  ProjectionStuckError,
  ProjectionUnknownError,
  ProjectionVersionOutdatedError,
  RebuildFailedError,
  RebuildRunningError,
  RegistryUnavailableError,
  RegistryUnknownError,
  ReplayTooLargeError,
  SideLeakedError,
  SideMissingError,
  SidesApartError,
  UserNotParkedError,
} from './projection-errors.js'
export type { PartitionStatus, ProjectionStatus, SideStatus } from './projection-status.js'
export type { Comparison, RowDifference } from './rebuild/compare-sides.js'
export type { RebuildPlan } from './rebuild/plan-rebuild.js'
export type { Proof, RebuildProgress, RebuildRequest } from './rebuild/rebuild-progress.js'
export { type HealFromRegistryOptions, healFromRegistry } from './registry/heal-from-registry.js'
export { type RegistryDigest, type UserRegistry, userRegistry, type VersionDigest } from './registry/user-registry.js'
export type { ReplayFailure, ReplayProgress, ReplayReport, ReplayRequest } from './replay/replay-projection.js'
export type { AnnounceOptions } from './roll-call/announcer.js'
export type { AppliedListener } from './roll-call/applied-feed.js'
export type { UserProgress } from './roll-call/user-progress.js'
export type { UserStanding } from './roll-call/users-progress.js'
export {
  type EventDecoder,
  type RunningProjections,
  type RunProjectionsOptions,
  runProjections,
} from './run-projections.js'
export type { ChangedRow } from './store/changed-rows.js'
export { pgStore } from './store/pg-store.js'
export { type PrismaStoreOptions, prismaStore } from './store/prisma-store.js'
export type {
  Checkpoint,
  Claim,
  ParkedList,
  ProjectionKey,
  ProjectionRow,
  ProjectionState,
  ProjectionStore,
  StoreTransaction,
} from './store/projection-store.js'
export type {
  DifferenceKind,
  VerifyItem,
  VerifyProgress,
  VerifyReport,
  VerifyRequest,
} from './verify/verify-projection.js'
