import { RollcallError } from '@rollcall/errors'
import type { PartitionFailure } from './parking/partition-failure.js'

/** `ERR_PROJECTION_INVALID`: a definition, or a row it returned, cannot be used. */
export class ProjectionInvalidError extends RollcallError {
  constructor(projection: string, problem: string) {
    super({
      code: 'ERR_PROJECTION_INVALID',
      message: `Projection '${projection}' cannot be used: ${problem}.`,
      facts: { projection },
    })
  }
}

/** `ERR_PROJECTION_UNKNOWN`: no projection of that name runs here. */
export class ProjectionUnknownError extends RollcallError {
  constructor(projection: string, known: readonly string[]) {
    super({
      code: 'ERR_PROJECTION_UNKNOWN',
      message: `No projection '${projection}' runs here; there are: ${known.join(', ')}.`,
      facts: { projection, known },
    })
  }
}

/** `ERR_PROJECTION_VERSION_OUTDATED`: a newer version of this projection owns the read model; this process must not write to it. */
export class ProjectionVersionOutdatedError extends RollcallError {
  constructor(projection: string, version: number, registered: number) {
    super({
      code: 'ERR_PROJECTION_VERSION_OUTDATED',
      message: `Projection '${projection}' is version ${version} here, but version ${registered} owns its read model; ${
        registered > version ? 'deploy that version here too' : 'this one steps forward when its rebuild is cut over'
      }.`,
      facts: { projection, version, registered },
    })
  }
}

/** `ERR_PROJECTION_BEHIND`: a read asked for a version that this database has not applied in time; trying again may help. */
export class ProjectionBehindError extends RollcallError {
  constructor(projection: string, userId: string, known: number, wanted: number, timeoutMs: number) {
    super({
      code: 'ERR_PROJECTION_BEHIND',
      message: `Projection '${projection}' has applied version ${known} of user ${userId}, behind by ${wanted - known} after ${timeoutMs} ms; try again, or read without a version.`,
      retryable: true,
      facts: { projection, userId, known, wanted, behind: wanted - known, timeoutMs },
    })
  }
}

/** `ERR_PROJECTION_STUCK`: readiness; the projection has stopped partitions, or lag without progress. */
export class ProjectionStuckError extends RollcallError {
  constructor(projection: string, problem: string, facts: Record<string, unknown> = {}) {
    super({
      code: 'ERR_PROJECTION_STUCK',
      message: `Projection '${projection}' makes no progress: ${problem}.`,
      retryable: true,
      facts: { projection, ...facts },
    })
  }
}

/** `ERR_PROJECTION_REBUILD_RUNNING`: another rebuild of this projection is under way. */
export class RebuildRunningError extends RollcallError {
  constructor(projection: string) {
    super({
      code: 'ERR_PROJECTION_REBUILD_RUNNING',
      message: `A rebuild of projection '${projection}' is under way already; look at its progress and wait.`,
      facts: { projection },
    })
  }
}

/** `ERR_PROJECTION_REBUILD_FAILED`: the rebuild ended without touching the live read model. */
export class RebuildFailedError extends RollcallError {
  constructor(projection: string, problem: string, facts: Record<string, unknown> = {}, cause?: unknown) {
    super({
      code: 'ERR_PROJECTION_REBUILD_FAILED',
      message: `The rebuild of projection '${projection}' failed, the read model is as before: ${problem}.`,
      facts: { projection, ...facts },
      cause,
    })
  }
}

/** `ERR_PROJECTION_SIDE_LEAKED`: while another side was built, a handler wrote to tables that are not the side's. */
export class SideLeakedError extends RollcallError {
  constructor(tables: readonly string[]) {
    super({
      code: 'ERR_PROJECTION_SIDE_LEAKED',
      message: `The handler wrote ${tables.join(', ')} while another side was built: list every table in \`tables\`, and name it without a schema.`,
      facts: { tables },
    })
  }
}

/** `ERR_PROJECTION_SIDE_MISSING`: there is no side to cut over to, or back to. */
export class SideMissingError extends RollcallError {
  constructor(projection: string, problem: string) {
    super({
      code: 'ERR_PROJECTION_SIDE_MISSING',
      message: `Projection '${projection}' ${problem}.`,
      facts: { projection },
    })
  }
}

/** `ERR_PROJECTION_SIDES_APART`: two sides did not come to the same position in time; nothing was changed. */
export class SidesApartError extends RollcallError {
  constructor(projection: string, problem: string) {
    super({
      code: 'ERR_PROJECTION_SIDES_APART',
      message: `Two sides of projection '${projection}' did not come to the same position: ${problem}. Nothing was changed; try again.`,
      retryable: true,
      facts: { projection },
    })
  }
}

/** `ERR_PROJECTION_USER_NOT_PARKED`: there is nothing to show, retry or discard. */
export class UserNotParkedError extends RollcallError {
  constructor(projection: string, userId: string) {
    super({
      code: 'ERR_PROJECTION_USER_NOT_PARKED',
      message: `Projection '${projection}' has no parked user ${userId}; list the parked users to see who is.`,
      facts: { projection, userId },
    })
  }
}

/** `ERR_PROJECTION_EVENTS_GONE`: the events missing in a gap are kept nowhere any more; trying again will not help. */
export class EventsGoneError extends RollcallError {
  constructor(userId: string, fromVersion: number, toVersion: number, reason: string) {
    super({
      code: 'ERR_PROJECTION_EVENTS_GONE',
      message: `Versions ${fromVersion} to ${toVersion} of user ${userId} cannot be fetched: ${reason}. Rebuild the projection, or discard what waits.`,
      facts: { userId, fromVersion, toVersion, reason },
    })
  }
}

/** `ERR_PROJECTION_EVENTS_UNAVAILABLE`: the events missing in a gap could not be fetched now; trying again may help. */
export class EventsUnavailableError extends RollcallError {
  constructor(userId: string, fromVersion: number, toVersion: number, problem: string, cause?: unknown) {
    super({
      code: 'ERR_PROJECTION_EVENTS_UNAVAILABLE',
      message: `Versions ${fromVersion} to ${toVersion} of user ${userId} were not fetched: ${problem}.`,
      retryable: true,
      facts: { userId, fromVersion, toVersion },
      cause,
    })
  }
}

/** `ERR_PROJECTION_REGISTRY_UNAVAILABLE`: the user registry was asked and did not answer; trying again may help. */
export class RegistryUnavailableError extends RollcallError {
  constructor(registryUrl: string, problem: string, cause?: unknown) {
    super({
      code: 'ERR_PROJECTION_REGISTRY_UNAVAILABLE',
      message: `The user registry at ${registryUrl} is needed and not available: ${problem}.`,
      retryable: true,
      facts: { registryUrl },
      cause,
    })
  }
}

/** `ERR_PROJECTION_REGISTRY_UNKNOWN`: this process was not told where the user registry is. */
export class RegistryUnknownError extends RollcallError {
  constructor(projection: string) {
    super({
      code: 'ERR_PROJECTION_REGISTRY_UNKNOWN',
      message: `Projection '${projection}' cannot be compared with the user registry: this process does not know where it is. Give runProjections a \`registry\` (the directory: REGISTRY_URL).`,
      facts: { projection },
    })
  }
}

/** `ERR_PROJECTION_FORM_UNSUPPORTED`: what was asked for can be done with other forms of projections only. */
export class FormUnsupportedError extends RollcallError {
  constructor(projection: string, problem: string) {
    super({
      code: 'ERR_PROJECTION_FORM_UNSUPPORTED',
      message: `Not possible with projection '${projection}': ${problem}.`,
      facts: { projection },
    })
  }
}

/** `ERR_PROJECTION_REPLAY_TOO_LARGE`: more events than memory may hold at once. */
export class ReplayTooLargeError extends RollcallError {
  constructor(projection: string, maxBytes: number) {
    super({
      code: 'ERR_PROJECTION_REPLAY_TOO_LARGE',
      message: `A replay of projection '${projection}' would hold more than ${maxBytes} bytes of one partition's events; choose a later time, one user, or rebuild.`,
      facts: { projection, maxBytes },
    })
  }
}

/** The codes a user can be parked with, and a partition can stop with; they stand in the database, in the log and in `status`. */
export type FailureCode =
  | 'ERR_PROJECTION_VERSION_GAP'
  | 'ERR_PROJECTION_EVENTS_GONE'
  | 'ERR_PROJECTION_HANDLER_FAILED'
  | 'ERR_PROJECTION_EVENT_UNREADABLE'
  | 'ERR_PROJECTION_POSITION_LOST'
  | 'ERR_PROJECTION_PARKING_FULL'

/** Where and on what a partition stopped. */
export type FailurePlace = Omit<PartitionFailure, 'code' | 'message' | 'at'>

/** A failure as it is stored: the reason is an error's own words only when it carries a code, because others may quote data. */
export function partitionFailure(code: FailureCode, problem: string, place: FailurePlace, at: Date): PartitionFailure {
  const where = `${place.topic}[${place.partition}] offset ${place.offset}`
  const what = [
    place.eventType,
    place.eventId && `event ${place.eventId}`,
    place.userId && `user ${place.userId}`,
    place.seenVersion !== undefined && `version ${place.seenVersion}`,
  ].filter(Boolean)
  const message = `${problem}; at ${where}${what.length > 0 ? ` (${what.join(', ')})` : ''}`
  return { code, message, ...place, at: at.toISOString() }
}
