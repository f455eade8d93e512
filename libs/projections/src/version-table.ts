/**
 * The partition of `projections.applied_version` that holds one projection's versions, quoted for SQL.
 * Runners address it directly: no routing per row, and no lock on the parent while a rebuild of another swaps.
 */
export const versionTable = (projection: string) => `projections."${versionTableName(projection)}"`

/** Its bare name; `defineProjection` keeps it under the 63 bytes of a Postgres name and free of quotes. */
export const versionTableName = (projection: string) => `applied_version_${projection}`
