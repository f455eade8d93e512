import type { Sql } from '@rollcall/database'
import {
  OutboxDatabaseChangedError,
  OutboxSequenceInvalidError,
  OutboxStateInvalidError,
  RelayFencedError,
} from '../errors.js'
import { presentSql } from './presence.js'
import { type SnapshotText, snapshotText } from './snapshot.js'
import type { TopicOffsets } from './topic-offsets.js'

/** How far the relay came: everything visible in `snap`, and of the window up to `upper` the ids to `lastId`. */
export interface Position {
  readonly snap: SnapshotText
  /** The frozen end of the back-log being worked off; null while live. */
  readonly upper: SnapshotText | null
  readonly lastId: number
  /** Messages acknowledged so far. */
  readonly shipped: number
  /** All that the topics hold before these is part of this position. */
  readonly offsets: TopicOffsets
}

/** Why the lead was free: given back or never held, our own, the leader's session is gone, its lease ran out. */
export type Vacancy = 'vacant' | 'own' | 'gone' | 'silent'

/** One relay's time as leader. */
export interface Term {
  readonly epoch: number
  readonly vacancy: Vacancy
  /** Topics that this outbox never wrote to may hold records all the same: somebody re-anchored the relay. */
  readonly mayAdoptTopics: boolean
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
    moved: boolean
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
  if (row.moved) {
    throw new OutboxDatabaseChangedError('the database has another oid than the one the position was stored in', {})
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

/**
 * Takes the lead when nobody holds it, the leader's session is gone, its lease ran out, or it is our own; undefined when
 * another relay leads.
 */
export async function takeLead(sql: Sql, owner: string, leaseMs: number): Promise<Term | undefined> {
  const { rows } = await sql.query<{
    epoch: string
    snap: string
    upper: string | null
    last_id: string
    shipped: string
    partition_counts: Record<string, number>
    kafka_cluster: string | null
    offsets: Record<string, number[]>
    vacancy: Vacancy
    adopts_topics: boolean
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
      offsets: { cluster: row.kafka_cluster, topics: row.offsets },
    },
    vacancy: row.vacancy,
    mayAdoptTopics: row.adopts_topics,
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
             offsets = CASE WHEN kafka_cluster = $7 THEN offsets || $8::jsonb ELSE offsets END,
             heartbeat_at = clock_timestamp()
           WHERE epoch = $1 AND snap::text = $2`,
    values: [
      epoch,
      stored.snap,
      next.snap,
      next.upper,
      next.lastId,
      next.shipped,
      next.offsets.cluster,
      JSON.stringify(next.offsets.topics),
    ],
  })
  if (rowCount !== 1) throw new RelayFencedError(epoch)
}

/** Remembers how many partitions a topic has and where it ends, the first time it is written to. @throws RelayFencedError */
export async function storeTopicStart(sql: Sql, epoch: number, topic: string, ends: readonly number[]): Promise<void> {
  const { rowCount } = await sql.query(
    `UPDATE outbox.relay SET offsets = offsets || jsonb_build_object($2::text, $3::jsonb),
       partition_counts = jsonb_build_object($2::text, $4::integer) || partition_counts
     WHERE epoch = $1`,
    [epoch, topic, JSON.stringify(ends), ends.length],
  )
  if (rowCount !== 1) throw new RelayFencedError(epoch)
}

/** Highest epoch of a producer id: 16 bits, signed. */
const LAST_PRODUCER_EPOCH = 32_767

/**
 * Raises the producer epoch, which shuts out all senders of lower ones, and proves by the same statement that the lead is
 * still ours: no later relay can have a lower epoch than this.
 *
 * @param newId asked when there is no producer id of this Kafka cluster yet, or its epochs are used up
 * @throws RelayFencedError
 */
export async function takeProducerEpoch(
  sql: Sql,
  epoch: number,
  cluster: string,
  newId: () => Promise<string>,
): Promise<{ readonly id: string; readonly epoch: number }> {
  const raised = await sql.query<{ id: string; producer_epoch: number }>(
    `UPDATE outbox.relay SET producer_epoch = producer_epoch + 1
     WHERE epoch = $1 AND kafka_cluster = $2 AND producer_id IS NOT NULL AND producer_epoch < ${LAST_PRODUCER_EPOCH}
     RETURNING producer_id::text AS id, producer_epoch`,
    [epoch, cluster],
  )
  const row = raised.rows[0]
  if (row !== undefined) return { id: row.id, epoch: row.producer_epoch }
  const id = await newId()
  const { rowCount } = await sql.query(
    `UPDATE outbox.relay SET producer_id = $3, producer_epoch = 0, kafka_cluster = $2,
       offsets = CASE WHEN kafka_cluster = $2 THEN offsets ELSE '{}' END
     WHERE epoch = $1`,
    [epoch, cluster, id],
  )
  if (rowCount !== 1) throw new RelayFencedError(epoch)
  return { id, epoch: 0 }
}

/** Gives the lead back, so that a standby need not wait for the lease to run out. */
export async function giveUpLead(sql: Sql, epoch: number): Promise<void> {
  await sql.query(`UPDATE outbox.relay SET owner = NULL, heartbeat_at = '-infinity' WHERE epoch = $1`, [epoch])
}

const CHECK_SQL = `
  SELECT r.system_identifier::text AS stored, c.system_identifier::text AS current, r.snap::text,
    greatest(pg_snapshot_xmax(r.snap), pg_snapshot_xmax(coalesce(r.upper, r.snap)))
      > pg_snapshot_xmax(pg_current_snapshot()) AS ahead,
    r.database_oid <> (SELECT oid FROM pg_database WHERE datname = current_database()) AS moved,
    s.seqcache AS cache, s.seqincrement AS increment
  FROM outbox.relay r, pg_control_system() c, pg_sequence s
  WHERE s.seqrelid = pg_get_serial_sequence('outbox.message', 'id')::regclass`

// The tenth on top is for clocks that run at different speeds: the leader stops by its own clock, before this.
const TAKE_LEAD_SQL = `
  WITH before AS (
    SELECT CASE WHEN owner IS NULL THEN 'vacant' WHEN owner = $1 THEN 'own'
      WHEN clock_timestamp() > heartbeat_at + lease_ms * interval '1.1 ms' THEN 'silent' ELSE 'gone' END AS vacancy
    FROM outbox.relay)
  UPDATE outbox.relay r
  SET epoch = epoch + 1, owner = $1, lease_ms = $2, heartbeat_at = clock_timestamp(),
    system_identifier = (SELECT system_identifier FROM pg_control_system()),
    database_oid = (SELECT oid FROM pg_database WHERE datname = current_database())
  WHERE owner IS NULL OR owner = $1 OR clock_timestamp() > heartbeat_at + lease_ms * interval '1.1 ms'
    OR NOT ${presentSql('r.owner')}
  RETURNING epoch, snap::text, upper::text, last_id, shipped, partition_counts, kafka_cluster, offsets,
    adopts_topics, (SELECT vacancy FROM before) AS vacancy`
