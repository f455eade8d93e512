import type { UserLifecycleEvent } from '@rollcall/events'

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
