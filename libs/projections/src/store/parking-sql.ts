import type { Sql } from '@rollcall/database'
import type { DeadLetter, ParkedUser, Parking, ParkingLimits } from '../parking/parking.js'
import type { PartitionFailure } from '../parking/partition-failure.js'
import type { DroppedLetters, OpenParked, OperatorAct, ParkedList } from './projection-store.js'
import { knownVersion } from './version-table.js'

/** The statements over the tables of parked users and dead letters. */

export async function park(
  sql: Sql,
  name: string,
  parkings: readonly Parking[],
  limits: ParkingLimits,
): Promise<{ offset: number; problem: string } | undefined> {
  const newcomers = parkings.filter(({ letter, failure }) => letter.userId !== undefined && failure !== undefined)
  return (
    (await parkUsers(sql, name, newcomers, limits.users)) ??
    (await keepLetters(sql, name, parkings, limits.lettersPerUser)) ??
    checkUnnamed(sql, name, parkings, limits.users)
  )
}

/** Records that name no user stand for themselves; of them too there may be as many as parked users. */
async function checkUnnamed(sql: Sql, name: string, parkings: readonly Parking[], limit: number) {
  const unnamed = parkings.filter(({ letter }) => letter.userId === undefined)
  if (unnamed.length === 0) return undefined
  const { rows } = await sql.query<{ letters: number }>(
    'SELECT count(*)::int AS letters FROM projections.dead_letter WHERE projection = $1 AND key IS NULL',
    [name],
  )
  const over = Number(rows[0]?.letters ?? 0) - limit
  const first = over > 0 ? unnamed.at(-Math.min(over, unnamed.length))?.letter : undefined
  if (first === undefined) return undefined
  const problem = `More than ${limit} records that name no user would be kept aside`
  return { offset: first.offset, problem }
}

async function parkUsers(sql: Sql, name: string, newcomers: readonly Parking[], limit: number) {
  if (newcomers.length === 0) return undefined
  await sql.query(
    `INSERT INTO projections.parked_user (projection, key, partition, failures)
     SELECT $1::text, key, partition, jsonb_build_array(failure::jsonb)
     FROM unnest($2::uuid[], $3::int[], $4::text[]) AS one (key, partition, failure) ON CONFLICT DO NOTHING`,
    [
      name,
      newcomers.map(({ letter }) => letter.userId),
      newcomers.map(({ letter }) => letter.partition),
      newcomers.map(({ failure }) => JSON.stringify(failure)),
    ],
  )
  const over = (await countParked(sql, name)) - limit
  const first = over > 0 ? newcomers.at(-Math.min(over, newcomers.length))?.letter : undefined
  if (first === undefined) return undefined
  const problem = `More than ${limit} users would be parked: that is no longer a matter of single users`
  return { offset: first.offset, problem }
}

/** Parks a user behind whom nothing waits yet. */
export async function parkBehind(sql: Sql, name: string, userId: string, failure: PartitionFailure): Promise<void> {
  await sql.query(
    `INSERT INTO projections.parked_user (projection, key, partition, failures)
     VALUES ($1, $2::uuid, $3::int, jsonb_build_array($4::jsonb)) ON CONFLICT DO NOTHING`,
    [name, userId, failure.partition, JSON.stringify(failure)],
  )
}

async function countParked(sql: Sql, name: string): Promise<number> {
  const { rows } = await sql.query<{ users: number }>(
    'SELECT count(*)::int AS users FROM projections.parked_user WHERE projection = $1',
    [name],
  )
  return Number(rows[0]?.users ?? 0)
}

/** One statement: with 1 % of the users parked, each full transaction has letters. */
async function keepLetters(sql: Sql, name: string, parkings: readonly Parking[], limit: number) {
  const letters = parkings.map(({ letter }) => letter)
  const { rows } = await sql.query<{ key: string; letters: number }>({
    name: 'projections_keep_letters',
    text: `WITH kept AS (
       INSERT INTO projections.dead_letter (projection, partition, "offset", key, version, event_id, event_type, record_at,
         value, failure)
       SELECT $1::text, * FROM unnest($2::int[], $3::bigint[], $4::uuid[], $5::bigint[], $6::text[], $7::text[],
         $8::timestamptz[], $9::bytea[], $10::jsonb[])
       ON CONFLICT DO NOTHING RETURNING key
     ), added AS (SELECT key, count(*) AS letters FROM kept WHERE key IS NOT NULL GROUP BY key)
     SELECT added.key::text, (added.letters + (SELECT count(*) FROM projections.dead_letter l
       WHERE l.projection = $1::text AND l.key = added.key))::int AS letters FROM added`,
    values: [
      name,
      letters.map(({ partition }) => partition),
      letters.map(({ offset }) => offset),
      letters.map(({ userId }) => userId ?? null),
      letters.map(({ version }) => version ?? null),
      letters.map(({ eventId }) => eventId ?? null),
      letters.map(({ eventType }) => eventType ?? null),
      letters.map(({ recordAt }) => recordAt),
      letters.map(({ value }) => value),
      parkings.map(({ letter, failure }) =>
        letter.userId === undefined && failure !== undefined ? JSON.stringify(failure) : null,
      ),
    ],
  })
  const fullest = rows.find((row) => Number(row.letters) > limit)
  if (fullest === undefined) return undefined
  const theirs = letters.filter(({ userId }) => userId === fullest.key)
  const over = Math.min(Number(fullest.letters) - limit, theirs.length)
  return {
    offset: theirs.at(-over)?.offset ?? 0,
    problem: `More than ${limit} records would wait behind one parked user`,
  }
}

export async function parkedUsers(sql: Sql, name: string, partitions: readonly number[]) {
  const { rows } = await sql.query<{ partition: number; key: string }>(
    'SELECT partition, key::text FROM projections.parked_user WHERE projection = $1 AND partition = ANY ($2::int[])',
    [name, partitions],
  )
  const parked = new Map<number, Set<string>>(partitions.map((partition) => [partition, new Set<string>()]))
  for (const { partition, key } of rows) parked.get(Number(partition))?.add(key)
  return parked
}

/** Which of these users are parked. */
export async function parkedAmong(sql: Sql, name: string, userIds: readonly string[]): Promise<ReadonlySet<string>> {
  const { rows } = await sql.query<{ key: string }>(
    'SELECT key::text FROM projections.parked_user WHERE projection = $1 AND key = ANY ($2::uuid[])',
    [name, userIds],
  )
  return new Set(rows.map(({ key }) => key))
}

interface ParkedRow {
  key: string
  partition: number
  parked_at: Date
  failures: PartitionFailure[]
  letters: number
}

const PARKED = `SELECT u.key::text, u.partition, u.parked_at, u.failures,
    (SELECT count(*)::int FROM projections.dead_letter l WHERE l.projection = u.projection AND l.key = u.key) AS letters
  FROM projections.parked_user u WHERE u.projection = $1`

const toParkedUser = ({ key, partition, parked_at, failures, letters }: ParkedRow): ParkedUser => ({
  userId: key,
  partition: Number(partition),
  parkedAt: parked_at,
  failures,
  letters: Number(letters),
})

export async function listParked(sql: Sql, name: string, limit: number): Promise<ParkedList> {
  const users = await sql.query<ParkedRow>(`${PARKED} ORDER BY u.parked_at, u.key LIMIT $2::int`, [name, limit])
  const unnamed = await sql.query<{ partition: number; offset: number; failure: PartitionFailure }>(
    `SELECT partition, "offset", failure FROM projections.dead_letter WHERE projection = $1 AND key IS NULL
     ORDER BY parked_at, partition, "offset" LIMIT $2::int`,
    [name, limit],
  )
  return {
    users: users.rows.map(toParkedUser),
    totalUsers: await countParked(sql, name),
    unnamed: unnamed.rows.map((row) => ({
      partition: Number(row.partition),
      offset: Number(row.offset),
      failure: row.failure,
    })),
  }
}

export async function findParked(sql: Sql, name: string, userId: string): Promise<ParkedUser | undefined> {
  const { rows } = await sql.query<ParkedRow>(`${PARKED} AND u.key = $2::uuid`, [name, userId])
  return rows[0] && toParkedUser(rows[0])
}

export async function gaps(sql: Sql, name: string, limit: number): Promise<ReadonlyMap<string, PartitionFailure>> {
  const { rows } = await sql.query<{ key: string; failure: PartitionFailure }>(
    `SELECT key::text, failures -> -1 AS failure FROM projections.parked_user
     WHERE projection = $1 AND failures -> -1 ->> 'code' = $2::text ORDER BY parked_at, key LIMIT $3::int`,
    [name, 'ERR_PROJECTION_VERSION_GAP', limit],
  )
  return new Map(rows.map(({ key, failure }) => [key, failure]))
}

export async function openParked(
  sql: Sql,
  name: string,
  userId: string,
  limit: number,
): Promise<OpenParked | undefined> {
  // The checkpoint first, as runners do: waits for a batch in flight, and sends the owner to look who is parked.
  await sql.query(
    `UPDATE projections.checkpoint c SET parking = c.parking + 1 FROM projections.parked_user u
     WHERE u.projection = $1 AND u.key = $2::uuid AND c.projection = $1 AND c.partition = u.partition`,
    [name, userId],
  )
  const { rows } = await sql.query<{ partition: number; failures: PartitionFailure[] }>(
    'SELECT partition, failures FROM projections.parked_user WHERE projection = $1 AND key = $2::uuid FOR UPDATE',
    [name, userId],
  )
  const parked = rows[0]
  if (parked === undefined) return undefined
  const letters = await sql.query<{
    partition: number
    offset: number
    version: number | null
    event_id: string | null
    event_type: string | null
    record_at: Date
    value: Buffer
  }>(
    `SELECT partition, "offset", version, event_id, event_type, record_at, value FROM projections.dead_letter
     WHERE projection = $1 AND key = $2::uuid ORDER BY "offset" LIMIT $3::int`,
    [name, userId, limit],
  )
  return {
    partition: Number(parked.partition),
    failures: parked.failures,
    knownVersion: await knownVersion(sql, name, userId),
    letters: letters.rows.map(
      (row): DeadLetter => ({
        partition: Number(row.partition),
        offset: Number(row.offset),
        userId,
        version: row.version === null ? undefined : Number(row.version),
        eventId: row.event_id ?? undefined,
        eventType: row.event_type ?? undefined,
        recordAt: row.record_at,
        // Prisma answers bytea as Uint8Array.
        value: Buffer.from(row.value),
      }),
    ),
  }
}

export async function dropLetters(sql: Sql, name: string, userId: string, upTo: number): Promise<DroppedLetters> {
  const { rows: gone } = await sql.query<{ version: number | null }>(
    'DELETE FROM projections.dead_letter WHERE projection = $1 AND key = $2::uuid AND "offset" <= $3::bigint RETURNING version',
    [name, userId, upTo],
  )
  const { rows } = await sql.query<{ left: number }>(
    'SELECT count(*)::int AS left FROM projections.dead_letter WHERE projection = $1 AND key = $2::uuid',
    [name, userId],
  )
  const left = Number(rows[0]?.left ?? 0)
  if (left === 0) {
    await sql.query('DELETE FROM projections.parked_user WHERE projection = $1 AND key = $2::uuid', [name, userId])
  }
  return { dropped: gone.length, version: Math.max(0, ...gone.map(({ version }) => Number(version ?? 0))), left }
}

export async function addFailure(sql: Sql, name: string, userId: string, failure: PartitionFailure): Promise<void> {
  await sql.query(
    `UPDATE projections.parked_user SET failures = failures || $3::jsonb WHERE projection = $1 AND key = $2::uuid`,
    [name, userId, JSON.stringify([failure])],
  )
}

export async function noteAct(sql: Sql, act: OperatorAct): Promise<void> {
  await sql.query(
    `INSERT INTO projections.operator_act (projection, act, actor, key, reason, facts)
     VALUES ($1, $2, $3, $4::uuid, $5, $6::jsonb)`,
    [act.projection, act.act, act.actor, act.userId ?? null, act.reason ?? null, JSON.stringify(act.facts ?? {})],
  )
}

/** Forgets all parked users and their records: a rebuild has seen every event of theirs. */
export async function forgetParked(sql: Sql, name: string): Promise<void> {
  await sql.query('DELETE FROM projections.dead_letter WHERE projection = $1', [name])
  await sql.query('DELETE FROM projections.parked_user WHERE projection = $1', [name])
}
