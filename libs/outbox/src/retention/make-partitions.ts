import { type Pool, withTransaction } from '@rollcall/database'
import { newestId, type Partition, readPartitions } from './partitions.js'

export interface MakePartitionsOptions {
  /** Ids per partition. */
  readonly partitionRows: number
  /** Empty partitions to keep ready ahead of the newest id. */
  readonly ahead: number
}

/**
 * Makes the partitions the coming ids need, ahead of time. Locks out neither writers nor readers: the table is made
 * aside and attached. Safe to run from several processes.
 *
 * @returns the partitions made by this call.
 */
export async function makePartitions(
  pool: Pool,
  { partitionRows, ahead }: MakePartitionsOptions,
): Promise<Partition[]> {
  const made: Partition[] = []
  while ((await nextPartition(pool, partitionRows, ahead)) !== undefined) {
    const partition = await withTransaction(pool, async (client) => {
      await client.query("SET LOCAL lock_timeout = '200ms'")
      await client.query('SELECT pg_advisory_xact_lock($1)', [PARTITION_LOCK])
      // Asked again under the lock: another process may have made it.
      const next = await nextPartition(client, partitionRows, ahead)
      if (next === undefined) return undefined
      await client.query(`
        CREATE TABLE outbox.${next.table} (LIKE outbox.message INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
        CREATE UNIQUE INDEX ${next.table}_aggregate_version_key ON outbox.${next.table} (aggregate_id, version);
        ALTER TABLE outbox.message ATTACH PARTITION outbox.${next.table} FOR VALUES FROM (${next.from}) TO (${next.to})`)
      return next
    })
    if (partition === undefined) break
    made.push(partition)
  }
  return made
}

const PARTITION_LOCK = 72_707_371

async function nextPartition(sql: Parameters<typeof newestId>[0], partitionRows: number, ahead: number) {
  const partitions = await readPartitions(sql)
  const newest = await newestId(sql)
  const ready = partitions.filter((partition) => partition.from > newest).length
  if (ready >= ahead) return undefined
  const end = partitions.at(-1)?.to ?? 1
  // Past the last partition rows go to the default one. The next range then starts beyond every id that may be under
  // way, because a range may not be attached over rows the default partition holds.
  const from = newest >= end ? newest + partitionRows : end
  return { table: `message_${String(from).padStart(15, '0')}`, from, to: from + partitionRows }
}
