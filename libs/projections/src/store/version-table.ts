import type { Sql } from '@rollcall/database'

/**
 * The table that holds the versions one projection has applied, `key` to `version`, quoted for SQL. Every projection has
 * its own, so that a rebuild can swap it for another together with the rows it belongs to.
 */
export const versionTable = (projection: string) => `projections."${versionTableName(projection)}"`

/** Its bare name; `defineProjection` keeps it under the 63 bytes of a Postgres name and free of quotes. */
export const versionTableName = (projection: string) => `applied_version_${projection}`

/** The version of the user a projection has applied; 0 when it never saw one. */
export async function knownVersion(sql: Sql, name: string, userId: string): Promise<number> {
  const { rows } = await sql.query<{ version: number }>({
    name: `projections_known_${name}`,
    text: `SELECT version FROM ${versionTable(name)} WHERE key = $1::uuid`,
    values: [userId],
  })
  return Number(rows[0]?.version ?? 0)
}
