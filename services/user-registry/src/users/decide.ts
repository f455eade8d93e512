import { isDeepStrictEqual } from 'node:util'
import type { User, UserLifecycleEvent } from '@rollcall/events'
import { fieldProblems } from './field-problem.js'
import { mergePatch } from './merge-patch.js'
import { toProfileDocument } from './public-user.js'
import type { ChangeCommand, DecisionContext, UserCommand, UserState } from './user.js'
import { UserGraceEndedError, UserInvalidError, UserStatusConflictError } from './user-errors.js'
import { PROFILE_FIELDS, type UserProfile, userProfile } from './user-profile.js'

/** A change to make: the event that tells it, and the state after it. */
export interface Decision {
  readonly event: UserLifecycleEvent
  readonly next: UserState
}

/** Decides the birth of a user: version 1, active. */
export function decideCreation(
  { userId, profile }: Extract<UserCommand, { type: 'CreateUser' }>,
  context: DecisionContext,
): Decision {
  const user: User = {
    id: userId,
    tenantId: context.tenantId,
    ...profile,
    status: 'active',
    version: 1,
    createdAt: context.now,
    updatedAt: context.now,
    deletedAt: null,
    purgeAt: null,
  }
  const changed = PROFILE_FIELDS.filter((field) => isGiven(profile[field]))
  return {
    event: { type: 'UserCreated', ...facts(user, changed, context) },
    next: { user, statusBeforeDeletion: null },
  }
}

/**
 * Decides a change of an existing user.
 *
 * @returns undefined when the command changes nothing: no event, no new version.
 * @throws UserStatusConflictError the status does not allow the act. Suspending a suspended user is refused too, not
 * ignored: the caller believed something that is not so, and only an idempotency key tells a repeat from a mistake.
 * @throws UserInvalidError the patched document is not a user.
 * @throws UserGraceEndedError a restore comes too late.
 */
export function decideChange(state: UserState, command: ChangeCommand, context: DecisionContext): Decision | undefined {
  const { user } = state
  const { act, from } = ACTS[command.type]
  if (!from.includes(user.status)) {
    throw new UserStatusConflictError(user.id, user.status, act, allowedActs(user.status))
  }
  switch (command.type) {
    case 'UpdateUser':
      return update(state, patchedProfile(user, command.patch), context)
    case 'SuspendUser':
      return change('UserSuspended', state, { status: 'suspended' }, context)
    case 'ReactivateUser':
      return change('UserReactivated', state, { status: 'active' }, context)
    case 'DeleteUser':
      return change(
        'UserDeleted',
        state,
        deletion(context),
        context,
        user.status === 'suspended' ? 'suspended' : 'active',
      )
    case 'RestoreUser':
      if (user.purgeAt !== null && context.now >= user.purgeAt) throw new UserGraceEndedError(user.id, user.purgeAt)
      // A suspended user stays suspended: delete and restore must not be a way around a suspension.
      return change('UserRestored', state, restoration(state), context)
  }
}

type Status = User['status']

const ACTS: Readonly<Record<ChangeCommand['type'], { act: string; from: readonly Status[] }>> = {
  UpdateUser: { act: 'update', from: ['active', 'suspended'] },
  SuspendUser: { act: 'suspend', from: ['active'] },
  ReactivateUser: { act: 'reactivate', from: ['suspended'] },
  DeleteUser: { act: 'delete', from: ['active', 'suspended'] },
  RestoreUser: { act: 'restore', from: ['deleted'] },
}

function allowedActs(status: Status): string[] {
  return Object.values(ACTS)
    .filter(({ from }) => from.includes(status))
    .map(({ act }) => act)
}

function patchedProfile(user: User, patch: ChangePatch): UserProfile {
  const parsed = userProfile.safeParse(mergePatch(toProfileDocument(user), patch))
  if (!parsed.success) throw new UserInvalidError(fieldProblems(parsed.error))
  return parsed.data
}

type ChangePatch = Extract<ChangeCommand, { type: 'UpdateUser' }>['patch']

function update(state: UserState, profile: UserProfile, context: DecisionContext): Decision | undefined {
  const changed = PROFILE_FIELDS.filter((field) => !isDeepStrictEqual(profile[field], state.user[field]))
  if (changed.length === 0) return undefined
  return change('UserUpdated', state, profile, context)
}

function deletion({ now, gracePeriodMs }: DecisionContext): Partial<User> {
  return { status: 'deleted', deletedAt: now, purgeAt: new Date(now.getTime() + gracePeriodMs) }
}

function restoration({ statusBeforeDeletion }: UserState): Partial<User> {
  return { status: statusBeforeDeletion ?? 'active', deletedAt: null, purgeAt: null }
}

function change(
  type: Exclude<UserLifecycleEvent['type'], 'UserCreated'>,
  { user: before }: UserState,
  difference: Partial<User>,
  context: DecisionContext,
  statusBeforeDeletion: UserState['statusBeforeDeletion'] = null,
): Decision {
  // A clock that was set back must not make a user younger than its last change.
  const now = context.now < before.updatedAt ? before.updatedAt : context.now
  const user: User = { ...before, ...difference, version: before.version + 1, updatedAt: now }
  const changed = (Object.keys(difference) as (keyof User)[]).filter(
    (field) => !isDeepStrictEqual(user[field], before[field]),
  )
  return { event: { type, ...facts(user, changed, { ...context, now }) }, next: { user, statusBeforeDeletion } }
}

function facts(user: User, changed: readonly string[], context: DecisionContext) {
  return {
    eventId: context.eventId,
    tenantId: user.tenantId,
    userId: user.id,
    version: user.version,
    occurredAt: context.now,
    actor: context.actor,
    correlationId: context.correlationId,
    causationId: context.causationId,
    changed: [...changed],
    user,
  }
}

function isGiven(value: unknown): boolean {
  if (value === null) return false
  if (Array.isArray(value)) return value.length > 0
  return typeof value === 'object' ? Object.keys(value).length > 0 : true
}
