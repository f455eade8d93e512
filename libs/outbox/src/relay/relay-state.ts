import type { Sql } from '@rollcall/database'
import {
  OutboxDatabaseChangedError,
  OutboxSequenceInvalidError,
  OutboxStateInvalidError,
  RelayFencedError,
} from '../errors.js'
import { type SnapshotText, snapshotText } from './snapshot.js'

/** How far the relay came: everything visible in `snap`, and of the window up to `upper` the ids to `lastId`. */
export interface Position {
  readonly snap: SnapshotText
  /** The frozen end of the back-log being worked off; null while live. */
  readonly upper: SnapshotText | null
  readonly lastId: number
  /** Messages acknowledged so far. */
  readonly shipped: number
}

/** One relay's time as leader. */
export interface Term {
  readonly epoch: number
  readonly position: Position
  readonly partitionCounts: Readonly<Record<string, number>>
}

/**
 * Refuses a database in which the stored position means nothing, and an id sequence that breaks order.
 *
 * @throws OutboxDatabaseChangedError, OutboxSequenceInvalidError, OutboxStateInvalidError
 */
export async function checkDatabase(sql: Sql): Promise<void> {
  const { rows } = await sql.query<{
    stored: string | null
    current: string
    ahead: boolean
    snap: string
    cache: string
    increment: string
  }>(CHECK_SQL)
  const row = rows[0]
  if (row === undefined) throw new OutboxStateInvalidError('it is missing')
  if (row.stored !== null && row.stored !== row.current) {
    throw new OutboxDatabaseChangedError('the Postgres cluster has another system identifier', {
      storedIdentifier: row.stored,
      currentIdentifier: row.current,
    })
  }
  if (row.ahead) {
    throw new OutboxDatabaseChangedError('the stored position names transactions this cluster never began', {
      snapshot: row.snap,
    })
  }
  if (Number(row.cache) !== 1 || Number(row.increment) !== 1) {
    throw new OutboxSequenceInvalidError(Number(row.cache), Number(row.increment))
  }
}

/** Takes the lead when nobody holds it, its lease ran out, or it is our own; undefined when another relay leads. */
export async function takeLead(sql: Sql, owner: string, leaseMs: number): Promise<Term | undefined> {
  const { rows } = await sql.query<{
    epoch: string
    snap: string
    upper: string | null
    last_id: string
    shipped: string
    partition_counts: Record<string, number>
  }>({ name: 'outbox_take_lead', text: TAKE_LEAD_SQL, values: [owner, leaseMs] })
  const row = rows[0]
  if (row === undefined) return undefined
  return {
    epoch: Number(row.epoch),
    position: {
      snap: snapshotText(row.snap),
      upper: row.upper === null ? null : snapshotText(row.upper),
      lastId: Number(row.last_id),
      shipped: Number(row.shipped),
    },
    partitionCounts: row.partition_counts,
  }
}

/**
 * Stores the position and renews the lease, unless another relay took over.
 *
 * @param stored the position of the last successful call: the compare part.
 * @throws RelayFencedError when the epoch or the stored snapshot is no longer ours.
 */
export async function storePosition(sql: Sql, epoch: number, stored: Position, next: Position): Promise<void> {
  const { rowCount } = await sql.query({
    name: 'outbox_store_position',
    text: `UPDATE outbox.relay SET snap = $3::pg_snapshot, upper = $4::pg_snapshot, last_id = $5, shipped = $6,
             heartbeat_at = clock_timestamp()
           WHERE epoch = $1 AND snap::text = $2`,
    values: [epoch, stored.snap, next.snap, next.upper, next.lastId, next.shipped],
  })
  if (rowCount !== 1) throw new RelayFencedError(epoch)
}

/** Remembers how many partitions a topic has, the first time it is written to. @throws RelayFencedError */
export async function storePartitionCount(sql: Sql, epoch: number, topic: string, count: number): Promise<void> {
  const { rowCount } = await sql.query(
    `UPDATE outbox.relay SET partition_counts = partition_counts || jsonb_build_object($2::text, $3::integer)
     WHERE epoch = $1`,
    [epoch, topic, count],
  )
  if (rowCount !== 1) throw new RelayFencedError(epoch)
}

/** Gives the lead back, so that a standby need not wait for the lease to run out. */
export async function giveUpLead(sql: Sql, epoch: number): Promise<void> {
  await sql.query(`UPDATE outbox.relay SET owner = NULL, heartbeat_at = '-infinity' WHERE epoch = $1`, [epoch])
}

const CHECK_SQL = `
  SELECT r.system_identifier::text AS stored, c.system_identifier::text AS current, r.snap::text,
    greatest(pg_snapshot_xmax(r.snap), pg_snapshot_xmax(coalesce(r.upper, r.snap)))
      > pg_snapshot_xmax(pg_current_snapshot()) AS ahead,
    s.seqcache AS cache, s.seqincrement AS increment
  FROM outbox.relay r, pg_control_system() c, pg_sequence s
  WHERE s.seqrelid = pg_get_serial_sequence('outbox.message', 'id')::regclass`

// The tenth on top is for clocks that run at different speeds: the leader stops by its own clock, before this.
const TAKE_LEAD_SQL = `
  UPDATE outbox.relay
  SET epoch = epoch + 1, owner = $1, lease_ms = $2, heartbeat_at = clock_timestamp(),
    system_identifier = (SELECT system_identifier FROM pg_control_system())
  WHERE owner IS NULL OR owner = $1 OR clock_timestamp() > heartbeat_at + lease_ms * interval '1.1 ms'
  RETURNING epoch, snap::text, upper::text, last_id, shipped, partition_counts`
