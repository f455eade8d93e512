import type { UserState } from './history.js'

/**
 * The directory's row for a user, written down a second time and on purpose not imported from the directory: a mistake
 * in its mapping must not be repeated by its judge.
 */
export function expectedPerson(user: UserState): Readonly<Record<string, unknown>> | undefined {
  if (user.status === 'deleted') return undefined
  const { given = null, family = null, display = null } = user.name ?? {}
  const spoken = [given, family].filter((part) => part !== null && part !== '').join(' ')
  return {
    tenantId: user.tenantId,
    userName: user.userName,
    displayName: display ?? (spoken === '' ? user.userName : spoken),
    given,
    family,
    primaryEmail: (user.emails.find(({ primary }) => primary) ?? user.emails[0])?.value ?? null,
    emails: user.emails,
    phone: user.phone,
    locale: user.locale,
    timezone: user.timezone,
    attributes: user.attributes,
    status: user.status,
    version: user.version,
    createdAt: user.createdAt,
    updatedAt: user.updatedAt,
  }
}

/** The columns of the directory's `person` that `expectedPerson` tells. */
export const personColumns = `user_id, tenant_id, user_name, display_name, given_name, family_name, primary_email, emails,
  phone, locale, timezone, attributes, status, version, created_at, updated_at`

/** A row under the names of `expectedPerson`, with times as text. */
export function personFields(row: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const time = (at: unknown) => (at instanceof Date ? at.toISOString() : at)
  return {
    tenantId: row.tenant_id,
    userName: row.user_name,
    displayName: row.display_name,
    given: row.given_name,
    family: row.family_name,
    primaryEmail: row.primary_email,
    emails: row.emails,
    phone: row.phone,
    locale: row.locale,
    timezone: row.timezone,
    attributes: row.attributes,
    status: row.status,
    version: Number(row.version),
    createdAt: time(row.created_at),
    updatedAt: time(row.updated_at),
  }
}
