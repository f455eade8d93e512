import type { UserState } from './history.js'

/**
 * The directory's row for a user, written down a second time and on purpose not imported from the directory: a mistake
 * in its mapping must not be repeated by its judge.
 */
export function expectedPerson(user: UserState): Readonly<Record<string, unknown>> | undefined {
  if (user.status === 'deleted') return undefined
  return {
    tenantId: user.tenantId,
    userName: user.userName,
    given: user.name?.given ?? null,
    family: user.name?.family ?? null,
    status: user.status,
    version: user.version,
    updatedAt: user.updatedAt,
  }
}

/** The columns of the directory's `person` that `expectedPerson` tells. */
export const personColumns = 'user_id, tenant_id, user_name, given, family, status, version, updated_at'

export function personFields(row: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return row
}
