import { type Pool, withTransaction } from '@rollcall/database'

export interface ReanchorOptions {
  /**
   * `pending`: what the stored position says was not shipped yet; after a restore from a backup the topic may already
   * hold some of it. `everything`: all retained messages again. `nothing`: regard all of them as shipped.
   */
  readonly resend: 'pending' | 'everything' | 'nothing'
}

/**
 * Gives the relay a valid position in a database that was restored or re-created (`ERR_OUTBOX_DATABASE_CHANGED`).
 * Stop the relays first. Rewrites the transaction ids of retained messages, so it locks writers out while it runs.
 *
 * @returns how many messages will be sent.
 */
export async function reanchorRelay(pool: Pool, { resend }: ReanchorOptions): Promise<number> {
  return withTransaction(pool, async (client) => {
    await client.query('LOCK TABLE outbox.message IN EXCLUSIVE MODE')
    // The ids of the old cluster are compared as mere numbers with the old snapshot: exact, wherever the rows are now.
    const shipped = {
      pending: `pg_visible_in_snapshot(m.xid, r.snap)
        OR (r.upper IS NOT NULL AND m.id <= r.last_id AND pg_visible_in_snapshot(m.xid, r.upper))`,
      everything: 'false',
      nothing: 'true',
    }[resend]
    const { rows } = await client.query<{ pending: string }>(
      `WITH judged AS (SELECT m.id, (${shipped}) AS shipped FROM outbox.message m, outbox.relay r),
       rewritten AS (
         UPDATE outbox.message m SET xid = CASE WHEN j.shipped THEN '3'::xid8 ELSE pg_current_xact_id() END
         FROM judged j WHERE j.id = m.id RETURNING j.shipped)
       SELECT count(*) FILTER (WHERE NOT shipped) AS pending FROM rewritten`,
    )
    // Everything from this transaction on is unshipped. Nobody else writes messages while the lock is held, so no
    // transaction in progress needs a place in the snapshot.
    await client.query(
      `UPDATE outbox.relay SET snap = (pg_current_xact_id()::text || ':' || pg_current_xact_id()::text || ':')::pg_snapshot,
         upper = NULL, epoch = epoch + 1, owner = NULL, heartbeat_at = '-infinity',
         producer_id = NULL, producer_epoch = 0, offsets = '{}', adopts_topics = true,
         database_oid = (SELECT oid FROM pg_database WHERE datname = current_database()),
         system_identifier = (SELECT system_identifier FROM pg_control_system())`,
    )
    // Their snapshots are of the old cluster.
    await client.query('UPDATE outbox.republish SET finished_at = clock_timestamp() WHERE finished_at IS NULL')
    return Number(rows[0]?.pending ?? 0)
  })
}
