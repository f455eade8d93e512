import type { UserLifecycleEvent } from '@rollcall/events'
import type { UserState } from './user.js'
import { PROFILE_FIELDS } from './user-profile.js'

/** What names an event that nobody caused. */
export interface StateEventContext {
  readonly eventId: string
  readonly correlationId: string
}

/**
 * The whole state of a user as an event of its last version, for read models whose missing events are kept nowhere any
 * more. It is not the event that was: its id is new, its type follows the status alone, and everything counts as changed.
 */
export function stateEvent({ user }: UserState, { eventId, correlationId }: StateEventContext): UserLifecycleEvent {
  return {
    type: typeOf(user),
    eventId,
    tenantId: user.tenantId,
    userId: user.id,
    version: user.version,
    occurredAt: user.updatedAt,
    actor: { type: 'system', id: 'user-registry' },
    correlationId,
    causationId: null,
    changed: [...PROFILE_FIELDS, 'status'],
    user,
  }
}

function typeOf({ status, version }: UserState['user']): UserLifecycleEvent['type'] {
  if (status === 'deleted') return 'UserDeleted'
  if (status === 'suspended') return 'UserSuspended'
  return version === 1 ? 'UserCreated' : 'UserUpdated'
}
