import type { Sql } from '@rollcall/database'
import type { VersionDigest } from '../registry/user-registry.js'
import { versionTable } from '../store/version-table.js'

/** The read model's side of what the registry's digest says: the same hashes of the versions that are applied. */
export async function versionDigest(sql: Sql, name: string, buckets: number): Promise<VersionDigest> {
  // Of one bucket without GROUP BY, which Postgres does in parallel and in less than half the processor time.
  const [bucket, grouping] =
    buckets === 1 ? ['0', 'HAVING count(*) > 0'] : [`uuid_hash(key) & ${buckets - 1}`, 'GROUP BY 1']
  const { rows } = await sql.query<{ bucket: number; users: number; hash: string }>(
    `SELECT ${bucket} AS bucket, count(*)::int AS users, bit_xor(uuid_hash_extended(key, version))::text AS hash
     FROM ${versionTable(name)} ${grouping}`,
  )
  return {
    users: rows.reduce((sum, { users }) => sum + Number(users), 0),
    buckets: new Map(rows.map(({ bucket, users, hash }) => [Number(bucket), { users: Number(users), hash }])),
  }
}

/** The versions applied of the users in these buckets. */
export async function appliedVersionsIn(
  sql: Sql,
  name: string,
  buckets: number,
  chosen: readonly number[],
): Promise<Map<string, number>> {
  const { rows } = await sql.query<{ key: string; version: number }>(
    `SELECT key::text, version FROM ${versionTable(name)} WHERE uuid_hash(key) & ${buckets - 1} = ANY ($1::int[])`,
    [chosen],
  )
  return new Map(rows.map(({ key, version }) => [key, Number(version)]))
}

/** The versions applied of these users; who was never seen is left out. */
export async function appliedVersions(
  sql: Sql,
  name: string,
  userIds: readonly string[],
): Promise<Map<string, number>> {
  const { rows } = await sql.query<{ key: string; version: number }>(
    `SELECT key::text, version FROM ${versionTable(name)} WHERE key = ANY ($1::uuid[])`,
    [userIds],
  )
  return new Map(rows.map(({ key, version }) => [key, Number(version)]))
}
