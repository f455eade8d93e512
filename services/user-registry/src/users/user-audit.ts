import type { User, UserLifecycleEvent } from '@rollcall/events'
import { toPublicUser } from './public-user.js'

const ACTIONS: Readonly<Record<UserLifecycleEvent['type'], string>> = {
  UserCreated: 'user.create',
  UserUpdated: 'user.update',
  UserSuspended: 'user.suspend',
  UserReactivated: 'user.reactivate',
  UserDeleted: 'user.delete',
  UserRestored: 'user.restore',
}

/** The name of the act in the audit trail. */
export function auditAction(type: UserLifecycleEvent['type']): string {
  return ACTIONS[type]
}

/**
 * The members an act changed, as JSON, as they were before and are after it. What stayed as it was stands in the entries
 * before: repeating it costs every change a tenth of its rate.
 */
export function changedMembers(before: User, after: User, changed: readonly string[]) {
  return { before: members(before, changed), after: members(after, changed) }
}

// JSON.stringify's list of names would pick members of nested objects too.
function members(user: User, names: readonly string[]): string {
  const document: Readonly<Record<string, unknown>> = { ...toPublicUser(user) }
  return JSON.stringify(Object.fromEntries(names.map((name) => [name, document[name]])))
}
