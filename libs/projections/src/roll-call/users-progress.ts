import type { Sql } from '@rollcall/database'
import { versionTable } from '../store/version-table.js'

/** How far a projection is with one of many users. */
export interface UserStanding {
  readonly userId: string
  /** The version applied; 0 when the user was never seen. */
  readonly version: number
  readonly parkedSince: Date | null
}

/** Where each of the users is, in one statement and in the order asked. */
export async function usersProgress(sql: Sql, name: string, userIds: readonly string[]): Promise<UserStanding[]> {
  const { rows } = await sql.query<{ key: string; version: string | null; parked_at: Date | null }>({
    name: `projections_standing_${name}`,
    text: `SELECT u.key::text, v.version, p.parked_at
      FROM unnest($2::uuid[]) WITH ORDINALITY AS u (key, position)
      LEFT JOIN ${versionTable(name)} v ON v.key = u.key
      LEFT JOIN projections.parked_user p ON p.projection = $1 AND p.key = u.key
      ORDER BY u.position`,
    values: [name, userIds],
  })
  return rows.map(({ key, version, parked_at }) => ({
    userId: key,
    version: Number(version ?? 0),
    parkedSince: parked_at,
  }))
}
