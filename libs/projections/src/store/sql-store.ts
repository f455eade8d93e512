import type { Pool, Sql } from '@rollcall/database'
import type { PartitionFailure } from '../parking/partition-failure.js'
import { hasEnded, type RebuildProgress } from '../rebuild/rebuild-progress.js'
import { usersProgress } from '../roll-call/users-progress.js'
import {
  addFailure,
  dropLetters,
  findParked,
  forgetParked,
  gaps,
  listParked,
  noteAct,
  openParked,
  park,
  parkedUsers,
} from './parking-sql.js'
import type {
  Checkpoint,
  Claim,
  Move,
  ProjectionKey,
  ProjectionRow,
  ProjectionState,
  ProjectionStore,
  StoreTransaction,
} from './projection-store.js'
import { sqlRows } from './table-rows.js'
import { knownVersion, versionTable } from './version-table.js'

/** How a store reaches Postgres: what differs between pg and Prisma. */
export interface StoreConnection<Tx> {
  readonly sql: Sql
  transaction<R>(work: (tx: Tx, sql: Sql) => Promise<R>): Promise<R>
  /** The same connection whose transactions find tables in the schema first. */
  inSchema?(schema: string): StoreConnection<Tx>
  isTransient(error: unknown): boolean
  readonly pool?: Pool
}

/** Puts a schema, quoted, before the others of the search path, until the end of the transaction. */
export const SEARCH_FIRST = "SELECT set_config('search_path', $1 || ', ' || current_setting('search_path'), true)"

/** The store over the tables of the Postgres schema `projections`. */
export function sqlStore<Tx>(connection: StoreConnection<Tx>): ProjectionStore<Tx> {
  const { sql } = connection
  return {
    register: (projection, topic) => register(connection, projection, topic),
    claim: (name, owner, startAt) =>
      claim(sql, name, owner, startAt).catch((error: unknown) => {
        // A first claim waited for a cut-over, which renamed the row it had seen; the one of that name now is a new snapshot's.
        if (!String((error as Error).message).includes('checkpoint_projection_fkey')) throw error
        return claim(sql, name, owner, startAt)
      }),
    transaction: (work) => connection.transaction((tx, inside) => work(storeTransaction(tx, inside))),
    fail: (claimed, failure) => fail(sql, claimed, failure),
    read: (names) => readProjections(sql, names),
    knownVersion: (name, userId) => knownVersion(sql, name, userId),
    usersProgress: (name, userIds) => usersProgress(sql, name, userIds),
    parkedUsers: (name, partitions) => parkedUsers(sql, name, partitions),
    listParked: (name, limit) => listParked(sql, name, limit),
    findParked: (name, userId) => findParked(sql, name, userId),
    gaps: (name, limit) => gaps(sql, name, limit),
    setState: (name, state) => setState(sql, name, state),
    setRebuild: (name, progress) => setRebuild(sql, name, progress),
    isTransient: connection.isTransient,
    outside: sql,
    ...(connection.pool === undefined ? {} : { pool: connection.pool }),
    ...(connection.inSchema === undefined
      ? {}
      : { inSchema: (schema: string) => sqlStore(connection.inSchema?.(schema) ?? connection) }),
  }
}

function storeTransaction<Tx>(tx: Tx, sql: Sql): StoreTransaction<Tx> {
  return {
    tx,
    sql,
    rows: sqlRows(sql),
    advance: (moves, userIds) => advance(sql, moves, userIds),
    park: (name, parkings, limits) => park(sql, name, parkings, limits),
    openParked: (name, userId, limit) => openParked(sql, name, userId, limit),
    dropLetters: (name, userId, upTo) => dropLetters(sql, name, userId, upTo),
    addFailure: (name, userId, failure) => addFailure(sql, name, userId, failure),
    noteAct: (act) => noteAct(sql, act),
    recordVersions: (name, versions) => recordVersions(sql, name, versions),
    rewind: (projection, startAt, progress) => rewind(sql, projection, startAt, progress),
  }
}

async function register<Tx>(connection: StoreConnection<Tx>, { name, version }: ProjectionKey, topic: string) {
  const there = (await readProjections(connection.sql, [name]))[0]
  if (there !== undefined) return there
  await connection.transaction(async (_, sql) => {
    // Two processes starting at once: CREATE TABLE IF NOT EXISTS alone can still fail on the catalog's unique index.
    await sql.query("SELECT pg_advisory_xact_lock(hashtext('rollcall.projections.register'))::text")
    await sql.query(
      'INSERT INTO projections.projection (name, version, topic) VALUES ($1, $2::int, $3) ON CONFLICT (name) DO NOTHING',
      [name, version, topic],
    )
    await sql.query(
      `CREATE TABLE IF NOT EXISTS ${versionTable(name)} (key uuid PRIMARY KEY, version bigint NOT NULL) WITH (fillfactor = 80)`,
    )
  })
  const row = (await readProjections(connection.sql, [name]))[0]
  if (row === undefined) throw new Error(`projection ${name} was removed while it was registered`)
  return row
}

async function claim(sql: Sql, name: string, owner: string, startAt: ReadonlyMap<number, number>): Promise<Claim[]> {
  // Waits for a batch in flight (it holds the row), then reads the position that batch left.
  const { rows } = await sql.query<{
    partition: number
    position: number
    epoch: number
    parking: number
    halt_at: number | null
  }>(
    `INSERT INTO projections.checkpoint AS c (projection, partition, position, epoch, claimed_by, claimed_at)
     SELECT $1::text, partition, start, 1, $4::text, now()
     FROM unnest($2::int[], $3::bigint[]) AS mine (partition, start) ORDER BY partition
     ON CONFLICT (projection, partition) DO UPDATE
     SET epoch = c.epoch + 1, claimed_by = excluded.claimed_by, claimed_at = excluded.claimed_at, failure = NULL
     RETURNING c.partition, c.position, c.epoch, c.parking, ${HALT_AT} AS halt_at`,
    [name, [...startAt.keys()], [...startAt.values()], owner],
  )
  return rows.map((row) => ({
    name,
    owner,
    partition: Number(row.partition),
    position: Number(row.position),
    epoch: Number(row.epoch),
    parking: Number(row.parking),
    haltAt: row.halt_at === null ? null : Number(row.halt_at),
  }))
}

// Forgotten by itself, so that a rebuild that died cannot hold a partition.
const HALT_AT = 'CASE WHEN c.halt_until > clock_timestamp() THEN c.halt_at END'

// By partition, as claims and meetings lock them too: an UPDATE takes its rows as its plan finds them, and two that each
// take several met in a deadlock 206 times in forty minutes of rebuilds.
const LOCKED = `locked AS MATERIALIZED (
       SELECT partition FROM projections.checkpoint WHERE projection = $1 AND partition = ANY ($2::int[])
       ORDER BY partition FOR NO KEY UPDATE
     ),`

async function advance(sql: Sql, moves: readonly Move[], userIds: readonly string[]) {
  const name = moves[0]?.claim.name
  if (name === undefined) return new Map<string, number>()
  const sorted = [...moves].sort((a, b) => a.claim.partition - b.claim.partition)
  const isOne = sorted.length === 1
  // One statement, one snapshot: when the compare-and-set succeeds nobody else has written these versions since.
  const { rows } = await sql.query<{ key: string | null; version: number }>({
    name: `projections_advance_${name}_${isOne ? 'one' : 'many'}`,
    text: `WITH ${isOne ? '' : LOCKED} mine AS (
       UPDATE projections.checkpoint c
       SET position = move.goal, record_at = coalesce(move.record_at, c.record_at)
       FROM unnest($2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::timestamptz[])
         AS move (partition, epoch, position, parking, goal, record_at)${isOne ? '' : ' JOIN locked USING (partition)'}
       WHERE c.projection = $1 AND c.partition = move.partition AND c.epoch = move.epoch AND c.position = move.position
         AND c.parking = move.parking
       RETURNING 1
     )
     SELECT NULL::text AS key, count(*) AS version FROM mine
     UNION ALL
     SELECT key::text, version FROM ${versionTable(name)} WHERE key = ANY ($8::uuid[])`,
    values: [
      name,
      sorted.map(({ claim }) => claim.partition),
      sorted.map(({ claim }) => claim.epoch),
      sorted.map(({ claim }) => claim.position),
      sorted.map(({ claim }) => claim.parking),
      sorted.map(({ to }) => to),
      sorted.map(({ recordAt }) => recordAt ?? null),
      userIds,
    ],
  })
  const known = new Map<string, number>()
  let moved = 0
  for (const { key, version } of rows) {
    if (key === null) moved = Number(version)
    else known.set(key, Number(version))
  }
  return moved === moves.length ? known : undefined
}

async function recordVersions(sql: Sql, name: string, versions: ReadonlyMap<string, number>): Promise<void> {
  if (versions.size === 0) return
  await sql.query({
    name: `projections_versions_${name}`,
    text: `INSERT INTO ${versionTable(name)} (key, version)
      SELECT key, version FROM unnest($1::uuid[], $2::bigint[]) AS seen (key, version)
      ON CONFLICT (key) DO UPDATE SET version = excluded.version`,
    values: [[...versions.keys()], [...versions.values()]],
  })
}

async function rewind(
  sql: Sql,
  { name, version }: ProjectionKey,
  startAt: ReadonlyMap<number, number>,
  progress: RebuildProgress,
): Promise<void> {
  // The table first, the checkpoint rows after it: a runner that waits for a checkpoint row already holds a lock on the
  // version table, so the other order deadlocks.
  await sql.query(`LOCK TABLE ${versionTable(name)} IN ACCESS EXCLUSIVE MODE`)
  await sql.query(
    `INSERT INTO projections.checkpoint AS c (projection, partition, position, epoch)
     SELECT $1::text, partition, start, 1 FROM unnest($2::int[], $3::bigint[]) AS all_of (partition, start) ORDER BY partition
     ON CONFLICT (projection, partition) DO UPDATE
     SET position = excluded.position, epoch = c.epoch + 1, claimed_by = NULL, claimed_at = NULL, record_at = NULL, failure = NULL`,
    [name, [...startAt.keys()], [...startAt.values()]],
  )
  await sql.query(`TRUNCATE ${versionTable(name)}`)
  await forgetParked(sql, name)
  await sql.query(
    `UPDATE projections.projection SET state = 'rebuilding', version = $2::int, rebuild = $3::jsonb, rebuild_updated_at = now()
     WHERE name = $1`,
    [name, version, JSON.stringify(progress)],
  )
}

async function fail(sql: Sql, claimed: Claim, failure: PartitionFailure): Promise<boolean> {
  const { rowCount } = await sql.query(
    `UPDATE projections.checkpoint SET failure = $4::jsonb
     WHERE projection = $1 AND partition = $2::int AND epoch = $3::bigint`,
    [claimed.name, claimed.partition, claimed.epoch, JSON.stringify(failure)],
  )
  return rowCount === 1
}

interface JoinedRow extends CheckpointRow {
  name: string
  version: number
  topic: string
  state: ProjectionState
  rebuild: RebuildProgress | null
  rebuild_age_ms: number | null
  parked_users: number
  expires_at: Date | null
}

interface CheckpointRow {
  partition: number | null
  position: number
  epoch: number
  parking: number
  halt_at: number | null
  claimed_by: string | null
  claimed_at: Date | null
  record_at: Date | null
  failure: PartitionFailure | null
}

async function readProjections(sql: Sql, names: readonly string[]): Promise<ProjectionRow[]> {
  const { rows } = await sql.query<JoinedRow>({
    name: 'projections_read',
    text: `SELECT p.name, p.version, p.topic, p.state, p.rebuild, p.expires_at,
        (extract(epoch FROM now() - p.rebuild_updated_at) * 1000)::float8 AS rebuild_age_ms,
        (SELECT count(*)::int FROM projections.parked_user u WHERE u.projection = p.name) AS parked_users,
        c.partition, c.position, c.epoch, c.parking, ${HALT_AT} AS halt_at, c.claimed_by, c.claimed_at, c.record_at, c.failure
      FROM projections.projection p LEFT JOIN projections.checkpoint c ON c.projection = p.name
      WHERE p.name = ANY ($1::text[]) ORDER BY p.name, c.partition`,
    values: [names],
  })
  const found = new Map<string, ProjectionRow & { checkpoints: Checkpoint[] }>()
  for (const row of rows) {
    let projection = found.get(row.name)
    if (projection === undefined) {
      const { name, topic, state, rebuild } = row
      const rebuildAgeMs = row.rebuild_age_ms === null ? null : Number(row.rebuild_age_ms)
      const parkedUsers = Number(row.parked_users)
      const version = Number(row.version)
      const expiresAt = row.expires_at
      projection = { name, version, topic, state, rebuild, rebuildAgeMs, parkedUsers, expiresAt, checkpoints: [] }
      found.set(name, projection)
    }
    if (row.partition !== null) projection.checkpoints.push(checkpointOf(row, row.partition))
  }
  return [...found.values()]
}

function checkpointOf(row: CheckpointRow, partition: number): Checkpoint {
  return {
    partition: Number(partition),
    position: Number(row.position),
    epoch: Number(row.epoch),
    parking: Number(row.parking),
    haltAt: row.halt_at === null ? null : Number(row.halt_at),
    claimedBy: row.claimed_by,
    claimedAt: row.claimed_at,
    recordAt: row.record_at,
    failure: row.failure,
  }
}

async function setState(sql: Sql, name: string, state: 'running' | 'paused'): Promise<void> {
  await sql.query(
    `WITH cleared AS (
       UPDATE projections.checkpoint SET failure = NULL
       WHERE projection = $1 AND failure IS NOT NULL AND $2::text = 'running'
     )
     UPDATE projections.projection SET state =
       CASE WHEN $2::text = 'running' AND rebuild ->> 'phase' NOT IN ('done', 'failed', 'built') THEN 'rebuilding' ELSE $2::text END
     WHERE name = $1`,
    [name, state],
  )
}

async function setRebuild(sql: Sql, name: string, progress: RebuildProgress): Promise<void> {
  await sql.query(
    `UPDATE projections.projection SET rebuild = $2::jsonb, rebuild_updated_at = now(),
       state = CASE WHEN state = 'paused' THEN state WHEN $3::boolean THEN 'running' ELSE 'rebuilding' END
     WHERE name = $1`,
    [name, JSON.stringify(progress), hasEnded(progress)],
  )
}
