import type { User } from '@rollcall/events'
import type { UserState } from './user.js'

/** A row of user_account as pg reads it. */
export interface UserRow {
  readonly id: string
  readonly tenant_id: string
  readonly user_name: string
  readonly emails: User['emails']
  readonly name: User['name']
  readonly phone: string | null
  readonly locale: string | null
  readonly timezone: string | null
  readonly attributes: User['attributes']
  readonly status: User['status']
  readonly status_before_deletion: 'active' | 'suspended' | null
  readonly version: number | string
  readonly created_at: Date
  readonly updated_at: Date
  readonly deleted_at: Date | null
  readonly purge_at: Date | null
}

/** The columns of `UserRow`, for a SELECT list. */
export const USER_COLUMNS =
  'id, tenant_id, user_name, emails, name, phone, locale, timezone, attributes, status, status_before_deletion, ' +
  'version, created_at, updated_at, deleted_at, purge_at'

export function toUserState(row: UserRow): UserState {
  return {
    user: {
      id: row.id,
      tenantId: row.tenant_id,
      userName: row.user_name,
      emails: row.emails,
      name: row.name,
      phone: row.phone,
      locale: row.locale,
      timezone: row.timezone,
      attributes: row.attributes,
      status: row.status,
      version: Number(row.version),
      createdAt: row.created_at,
      updatedAt: row.updated_at,
      deletedAt: row.deleted_at,
      purgeAt: row.purge_at,
    },
    statusBeforeDeletion: row.status_before_deletion,
  }
}
