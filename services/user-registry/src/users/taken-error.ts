import { type Sql, uniqueViolation } from '@rollcall/database'
import type { User } from '@rollcall/events'
import { emailKey } from './email-address.js'
import { UserEmailTakenError, UserNameTakenError } from './user-errors.js'

/** Says a unique violation of a user's write in the domain's words, and which address it is; undefined for other errors. */
export async function takenError(
  sql: Sql,
  user: User,
  error: unknown,
): Promise<UserNameTakenError | UserEmailTakenError | undefined> {
  switch (uniqueViolation(error)?.constraint) {
    case 'user_account_user_name_unique':
      return new UserNameTakenError()
    case 'user_email_unique':
      return new UserEmailTakenError(await takenIndex(sql, user))
    default:
      return undefined
  }
}

async function takenIndex(sql: Sql, { id, tenantId, emails }: User): Promise<number> {
  const keys = emails.map(({ value }) => emailKey(value))
  const { rows } = await sql.query<{ email_key: string }>(
    'SELECT email_key FROM user_email WHERE tenant_id = $1 AND email_key = ANY ($2::text[]) AND user_id <> $3',
    [tenantId, keys, id],
  )
  const taken = new Set(rows.map((row) => row.email_key))
  return keys.findIndex((key) => taken.has(key))
}
