import type { Sql } from '@rollcall/database'

/** What the registry's users come to, in buckets that another database can compute of its own versions. */
export interface UserDigest {
  /** When the snapshot was taken, ISO 8601. */
  readonly at: string
  /** The snapshot, as Postgres names it. */
  readonly snapshot: string
  readonly buckets: number
  readonly users: number
  /** `[bucket, users, hash]` of each bucket that is not empty. */
  readonly items: readonly (readonly [bucket: number, users: number, hash: string])[]
}

/**
 * Digests the versions of all users, of every tenant, deleted ones too. A bucket is `uuid_hash(id)` masked, its hash the
 * XOR of `uuid_hash_extended(id, version)`, so that neither depends on an order. One statement: one snapshot.
 *
 * @param buckets a power of two
 */
export async function userDigest(sql: Sql, buckets: number): Promise<UserDigest> {
  // Of one bucket without GROUP BY, which Postgres does in parallel and in less than half the processor time.
  const [bucket, grouping] =
    buckets === 1 ? ['0', 'HAVING count(*) > 0'] : [`uuid_hash(id) & ${buckets - 1}`, 'GROUP BY 1']
  // The number stands in the text: as a parameter it would keep Postgres from a parallel plan of known size.
  const { rows } = await sql.query<{ bucket: number; users: number; hash: string; at: Date; snapshot: string }>(
    `SELECT bucket, users, hash::text, statement_timestamp() AS at, pg_current_snapshot()::text AS snapshot FROM (
       SELECT ${bucket} AS bucket, count(*)::int AS users, bit_xor(uuid_hash_extended(id, version)) AS hash
       FROM user_account ${grouping}
     ) AS digest`,
  )
  const first = rows[0] ?? (await emptySnapshot(sql))
  return {
    at: first.at.toISOString(),
    snapshot: first.snapshot,
    buckets,
    users: rows.reduce((sum, { users }) => sum + users, 0),
    items: rows.map(({ bucket, users, hash }) => [bucket, users, hash] as const),
  }
}

async function emptySnapshot(sql: Sql): Promise<{ at: Date; snapshot: string }> {
  const { rows } = await sql.query<{ at: Date; snapshot: string }>(
    'SELECT statement_timestamp() AS at, pg_current_snapshot()::text AS snapshot',
  )
  return rows[0] as { at: Date; snapshot: string }
}

/** The versions of all users in some of the buckets: `[id, version]`. */
export async function versionsInBuckets(
  sql: Sql,
  buckets: number,
  chosen: readonly number[],
): Promise<readonly (readonly [userId: string, version: number])[]> {
  const { rows } = await sql.query<VersionRow>(
    `SELECT id::text, version FROM user_account WHERE uuid_hash(id) & ${buckets - 1} = ANY ($1::int[])`,
    [chosen],
  )
  return rows.map(toPair)
}

/** The versions of the users named; one that is not known is left out. */
export async function versionsOfUsers(
  sql: Sql,
  userIds: readonly string[],
): Promise<readonly (readonly [userId: string, version: number])[]> {
  const { rows } = await sql.query<VersionRow>({
    name: 'registry_versions_of_users',
    text: 'SELECT id::text, version FROM user_account WHERE id = ANY ($1::uuid[])',
    values: [userIds],
  })
  return rows.map(toPair)
}

interface VersionRow {
  readonly id: string
  readonly version: number | string
}

const toPair = ({ id, version }: VersionRow) => [id, Number(version)] as const
