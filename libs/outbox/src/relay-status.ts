import type { Sql } from '@rollcall/database'
import { OutboxStateInvalidError } from './errors.js'
import { type Holder, readHolders } from './read-holders.js'
import { inProgressOf, snapshotText } from './relay/snapshot.js'

/** How far the relay is, as the database tells it; the same from any process. */
export interface OutboxStatus {
  /** Null when no relay holds the lead. */
  readonly owner: string | null
  readonly epoch: number
  /** True while the leader's lease runs. */
  readonly active: boolean
  /** Milliseconds since the leader's last sign of life; null before the first and after a clean stop. */
  readonly heartbeatAgeMs: number | null
  /** True while a back-log is worked off. */
  readonly backLog: boolean
  /** Messages acknowledged by Kafka since the outbox exists. */
  readonly shipped: number
  /** Committed messages not yet acknowledged; exact up to 100000, estimated from ids above. */
  readonly waiting: number
  /** Age of the oldest of them; 0 when none waits. */
  readonly oldestWaitingMs: number
  /** The longest open writing transaction of this database: it delays its own messages only, but also vacuum. */
  readonly oldestWriter: { readonly pid: number; readonly ageMs: number; readonly application: string } | null
  /** What has held back vacuum, retention or disk space for a minute and longer, the oldest first. */
  readonly holders: readonly Holder[]
}

/**
 * Reads the relay's state and lag, from any connection to the outbox's database.
 *
 * @throws OutboxStateInvalidError when the state row is missing.
 */
export async function relayStatus(sql: Sql): Promise<OutboxStatus> {
  const { rows } = await sql.query<StateRow>(STATE_SQL)
  const state = rows[0]
  if (state === undefined) throw new OutboxStateInvalidError('it is missing')
  const { counted, oldestMs, newestId } = await measureWaiting(sql, state)
  const writer = (await sql.query<WriterRow>(OLDEST_WRITER_SQL)).rows[0]
  return {
    owner: state.owner,
    epoch: Number(state.epoch),
    active: state.active,
    heartbeatAgeMs: state.heartbeat_age_ms === null ? null : Number(state.heartbeat_age_ms),
    backLog: state.upper !== null,
    shipped: Number(state.shipped),
    waiting: counted > COUNT_LIMIT ? Math.max(counted, newestId - Number(state.last_id)) : counted,
    oldestWaitingMs: Math.max(0, oldestMs),
    oldestWriter:
      writer === undefined
        ? null
        : { pid: writer.pid, ageMs: Number(writer.age_ms), application: writer.application_name },
    holders: await readHolders(sql),
  }
}

interface StateRow {
  owner: string | null
  epoch: string
  active: boolean
  heartbeat_age_ms: string | null
  snap: string
  upper: string | null
  last_id: string
  shipped: string
}

interface WriterRow {
  pid: number
  age_ms: string
  application_name: string
}

const COUNT_LIMIT = 100_000

const STATE_SQL = `
  SELECT owner, epoch, snap::text, upper::text, last_id, shipped,
    owner IS NOT NULL AND clock_timestamp() < heartbeat_at + lease_ms * interval '1 ms' AS active,
    CASE WHEN isfinite(heartbeat_at) THEN floor(extract(epoch FROM clock_timestamp() - heartbeat_at) * 1000) END::bigint
      AS heartbeat_age_ms
  FROM outbox.relay`

// The window behind the stored position. In a back-log its shipped part is skipped by id: a scan of the whole window
// every few seconds would cost more than the relay.
async function measureWaiting(sql: Sql, state: StateRow) {
  const snap = snapshotText(state.snap)
  const arms =
    state.upper === null
      ? `SELECT created_at FROM outbox.message WHERE xid >= pg_snapshot_xmax($1::pg_snapshot)
         UNION ALL SELECT created_at FROM outbox.message WHERE xid = ANY ($2::xid8[])`
      : `SELECT created_at FROM outbox.message
         WHERE id > $2::bigint AND NOT pg_visible_in_snapshot(xid, $1::pg_snapshot)`
  const { rows } = await sql.query<{ counted: string; oldest_ms: string | null; newest_id: string | null }>(
    `SELECT count(*) AS counted, floor(extract(epoch FROM clock_timestamp() - min(created_at)) * 1000)::bigint AS oldest_ms,
       (SELECT max(id) FROM outbox.message) AS newest_id
     FROM (${arms} LIMIT ${COUNT_LIMIT + 1}) waiting`,
    [snap, state.upper === null ? `{${inProgressOf(snap)}}` : state.last_id],
  )
  const row = rows[0]
  return {
    counted: Number(row?.counted ?? 0),
    oldestMs: Number(row?.oldest_ms ?? 0),
    newestId: Number(row?.newest_id ?? 0),
  }
}

const OLDEST_WRITER_SQL = `
  SELECT pid, floor(extract(epoch FROM clock_timestamp() - xact_start) * 1000)::bigint AS age_ms, application_name
  FROM pg_stat_activity
  WHERE backend_xid IS NOT NULL AND datname = current_database() AND pid <> pg_backend_pid()
  ORDER BY xact_start LIMIT 1`
