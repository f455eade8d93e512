import type { Sql } from '@rollcall/database'
import type { UserState } from './user.js'
import { UserNotFoundError } from './user-errors.js'
import { toUserState, USER_COLUMNS, type UserRow } from './user-row.js'

/**
 * Reads one user of a tenant, deleted ones included.
 *
 * @throws UserNotFoundError
 */
export async function findUser(sql: Sql, tenantId: string, userId: string): Promise<UserState> {
  const { rows } = await sql.query<UserRow>({
    name: 'registry_find_user',
    text: `SELECT ${USER_COLUMNS} FROM user_account WHERE id = $1 AND tenant_id = $2`,
    values: [userId, tenantId],
  })
  const row = rows[0]
  if (row === undefined) throw new UserNotFoundError(userId)
  return toUserState(row)
}
