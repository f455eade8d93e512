import { isTransientDatabaseError, type Pool, type PoolClient, withTransaction } from '@rollcall/database'
import type { Logger } from '@rollcall/observability'
import { newestId, type Partition, readPartitions } from './partitions.js'

export interface DropOptions {
  /** Messages younger than this stay, shipped or not. */
  readonly keepMs: number
}

/**
 * Drops the partitions whose every message is stored as shipped and older than `keepMs`, whole; never deletes rows.
 * A lock that cannot be had at once is left for the next call, so that no writer queues behind the drop.
 *
 * @returns the partitions dropped by this call.
 */
export async function dropShippedPartitions(pool: Pool, options: DropOptions, logger: Logger): Promise<Partition[]> {
  const dropped: Partition[] = []
  const newest = await newestId(pool)
  for (const partition of await readPartitions(pool)) {
    // Partitions that may still be written to, or are not full, end the search: they are in id order.
    if (partition.to > newest) break
    if (!(await isDroppable(pool, partition, options.keepMs))) break
    try {
      // Told to nobody as dropped when it was needed after all.
      if (!(await withTransaction(pool, (client) => drop(client, partition)))) break
    } catch (error) {
      if (!isTransientDatabaseError(error)) throw error
      logger.debug({ partition: partition.table }, 'outbox partition in use; dropping it later')
      break
    }
    logger.info({ partition: partition.table, fromId: partition.from, toId: partition.to }, 'outbox partition dropped')
    dropped.push(partition)
  }
  return dropped
}

// Conservative and cheap, two index probes: the newest transaction in it lies below everything the stored position
// still waits for. A writer that is open since before holds it back, which a drop has to do anyway.
async function isDroppable(pool: Pool, { table, to }: Partition, keepMs: number): Promise<boolean> {
  const { rows } = await pool.query<{ droppable: boolean }>(
    `SELECT r.upper IS NULL
       AND coalesce((SELECT max(xid) FROM outbox.${table}) < pg_snapshot_xmin(r.snap), true)
       AND coalesce((SELECT created_at FROM outbox.${table} ORDER BY id DESC LIMIT 1)
         < clock_timestamp() - $1 * interval '1 ms', true)
       AND NOT EXISTS (
         SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
         WHERE l.relation = 'outbox.message'::regclass AND a.xact_start < clock_timestamp() - interval '500 ms'
       )
       AND NOT ${NEEDED_SQL} AS droppable
     FROM outbox.relay r`,
    [keepMs, to],
  )
  return rows[0]?.droppable === true
}

// A republish that has not passed the partition yet; one that has not begun may want all of them.
const NEEDED_SQL = `EXISTS (SELECT FROM outbox.republish p WHERE p.finished_at IS NULL AND p.last_id < $2::bigint - 1)`

async function drop(client: PoolClient, { table, to }: Partition): Promise<boolean> {
  // DROP locks the parent too: whoever waits for it blocks every new writer, so it waits 50 ms at most.
  await client.query("SET LOCAL lock_timeout = '50ms'")
  await client.query('LOCK TABLE outbox.message IN ACCESS EXCLUSIVE MODE')
  // Nobody can hold an unseen row in it now; make sure that none was written, and no republish asked for, between the
  // check and the lock: a request locks the table for as long as it takes to be committed.
  const { rows } = await client.query<{ late: boolean }>(
    `SELECT EXISTS (SELECT FROM outbox.${table} m, outbox.relay r WHERE m.xid >= pg_snapshot_xmin(r.snap))
       OR ${NEEDED_SQL.replace('$2', '$1')} AS late`,
    [to],
  )
  if (rows[0]?.late === true) return false
  await client.query(`DROP TABLE outbox.${table}`)
  return true
}
