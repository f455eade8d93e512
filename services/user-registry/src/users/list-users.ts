import { createHash } from 'node:crypto'
import type { Sql } from '@rollcall/database'
import type { User } from '@rollcall/events'
import { CursorInvalidError, decodeCursor, encodeCursor } from '@rollcall/http'
import { z } from 'zod'
import { emailKey } from './email-address.js'
import { foldCase } from './fold-case.js'
import { toUserState, USER_COLUMNS, type UserRow } from './user-row.js'

export const SORTS = ['createdAt', '-createdAt', 'userName', '-userName', 'updatedAt', '-updatedAt', 'id'] as const

export interface UserFilter {
  readonly status: readonly User['status'][]
  /** The whole name, compared without case. */
  readonly userName?: string | undefined
  /** A whole address, compared without case. */
  readonly email?: string | undefined
  /** Beginning of the user name or of an address, compared without case. */
  readonly q?: string | undefined
  readonly createdAfter?: Date | undefined
  readonly createdBefore?: Date | undefined
  readonly updatedAfter?: Date | undefined
  readonly updatedBefore?: Date | undefined
}

export interface ListUsersOptions {
  readonly tenantId: string
  readonly filter: UserFilter
  /** A minus means descending. */
  readonly sort: (typeof SORTS)[number]
  readonly limit: number
  readonly cursor?: string | undefined
}

/**
 * One page of users by keyset: each page begins after the last row of the one before, so that rows which come, go or
 * change meanwhile neither repeat nor hide others. A user whose sort value changes moves to its new place.
 *
 * @throws CursorInvalidError
 */
export async function listUsers(
  sql: Sql,
  { tenantId, filter, sort, limit, cursor }: ListUsersOptions,
): Promise<{ users: User[]; nextCursor: string | null }> {
  const list = fingerprint([tenantId, sort, filter])
  const position = z.tuple([z.literal(list), z.string(), z.uuid()])
  const after = cursor === undefined ? undefined : decodeCursor(cursor, position)
  const query = compose(tenantId, filter, sort, limit + 1, after)
  const { rows } = await sql.query<UserRow & { position: string }>(query)
  const page = rows.slice(0, limit)
  const last = rows.length > limit ? page.at(-1) : undefined
  return {
    users: page.map((row) => toUserState(row).user),
    nextCursor: last === undefined ? null : encodeCursor([list, last.position, last.id]),
  }
}

interface SortColumn {
  /** Read back as the cursor's value. */
  readonly position: string
  readonly columns: readonly string[]
  readonly casts: readonly string[]
  readonly isValid: (value: string) => boolean
}

const byTime = (column: string): SortColumn => ({
  // Milliseconds, as stored: a Date in between would do as well, a microsecond would be lost in it.
  position: `(extract(epoch FROM ${column}) * 1000)::bigint::text`,
  columns: [column, 'id'],
  casts: [`to_timestamp($?::float8 / 1000)`, '$?::uuid'],
  isValid: (value) => /^\d{1,15}$/.test(value),
})

const SORT_COLUMNS: Readonly<Record<string, SortColumn>> = {
  createdAt: byTime('created_at'),
  updatedAt: byTime('updated_at'),
  // Unique in the tenant: no second column, and the unique index serves the order.
  userName: { position: 'user_name_key', columns: ['user_name_key'], casts: ['$?::text'], isValid: () => true },
  // The order of the directory's listing as well: two sides in one order can be compared as they stream.
  id: { position: 'id::text', columns: ['id'], casts: ['$?::uuid'], isValid: (id) => z.uuid().safeParse(id).success },
}

function compose(
  tenantId: string,
  filter: UserFilter,
  sort: ListUsersOptions['sort'],
  limit: number,
  after: readonly [list: string, value: string, id: string] | undefined,
): { text: string; values: unknown[] } {
  const values: unknown[] = [tenantId, filter.status]
  const bind = (value: unknown) => `$${values.push(value)}`
  const descending = sort.startsWith('-')
  const order = SORT_COLUMNS[sort.replace('-', '')]
  if (order === undefined || (after !== undefined && !order.isValid(after[1]))) throw new CursorInvalidError()

  const conditions = ['tenant_id = $1', 'status = ANY ($2::text[]::user_status[])']
  if (filter.userName !== undefined) conditions.push(`user_name_key = ${bind(foldCase(filter.userName))}`)
  if (filter.email !== undefined) {
    conditions.push(
      `id = (SELECT user_id FROM user_email WHERE tenant_id = $1 AND email_key = ${bind(emailKey(filter.email))})`,
    )
  }
  if (filter.q !== undefined) conditions.push(startsWith(bind(foldCase(filter.q))))
  if (filter.createdAfter !== undefined) conditions.push(`created_at > ${bind(filter.createdAfter.toISOString())}`)
  if (filter.createdBefore !== undefined) conditions.push(`created_at < ${bind(filter.createdBefore.toISOString())}`)
  if (filter.updatedAfter !== undefined) conditions.push(`updated_at > ${bind(filter.updatedAfter.toISOString())}`)
  if (filter.updatedBefore !== undefined) conditions.push(`updated_at < ${bind(filter.updatedBefore.toISOString())}`)
  if (after !== undefined) {
    const bounds = after.slice(1)
    const right = order.casts.map((cast, index) => cast.replace('$?', bind(bounds[index])))
    // A row comparison, not an OR: only this one becomes one index range.
    conditions.push(`(${order.columns.join(', ')}) ${descending ? '<' : '>'} (${right.join(', ')})`)
  }
  const direction = descending ? ' DESC' : ''
  return {
    text: `SELECT ${USER_COLUMNS}, ${order.position} AS position FROM user_account
           WHERE ${conditions.join(' AND ')}
           ORDER BY ${order.columns.map((column) => column + direction).join(', ')} LIMIT ${bind(limit)}`,
    values,
  }
}

// Ranges under collation "C", not LIKE: no wildcard to escape, and the unique indexes serve them.
function startsWith(prefix: string): string {
  const range = (column: string) => `${column} >= ${prefix}::text AND ${column} < ${prefix}::text || chr(1114111)`
  return `id IN (SELECT id FROM user_account WHERE tenant_id = $1 AND ${range('user_name_key')}
    UNION SELECT user_id FROM user_email WHERE tenant_id = $1 AND ${range('email_key')})`
}

function fingerprint(list: unknown): string {
  return createHash('sha256').update(JSON.stringify(list)).digest('base64url').slice(0, 11)
}
