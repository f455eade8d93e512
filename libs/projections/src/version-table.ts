import type { Sql } from '@rollcall/database'

/**
 * The partition of `projections.applied_version` that holds one projection's versions, quoted for SQL.
 * Runners address it directly: no routing per row, and no lock on the parent while a rebuild of another swaps.
 */
export const versionTable = (projection: string) => `projections."${versionTableName(projection)}"`

/** Its bare name; `defineProjection` keeps it under the 63 bytes of a Postgres name and free of quotes. */
export const versionTableName = (projection: string) => `applied_version_${projection}`

/** The version of the user a projection has applied; 0 when it never saw one. */
export async function knownVersion(sql: Sql, name: string, userId: string): Promise<number> {
  const { rows } = await sql.query<{ version: number }>({
    name: `projections_known_${name}`,
    text: `SELECT version FROM ${versionTable(name)} WHERE projection = $1 AND key = $2::uuid`,
    values: [name, userId],
  })
  return Number(rows[0]?.version ?? 0)
}
