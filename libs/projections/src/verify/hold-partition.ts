import type { Sql } from '@rollcall/database'
import { versionTable } from '../store/version-table.js'

/**
 * Holds a partition until the end of the transaction: no version of its users moves meanwhile, because the owner's batch
 * waits for the same row. Afterwards the owner goes on as if nothing had been, unless versions were changed: then
 * `withNotice`, so that it looks again.
 *
 * @returns the position; undefined when nobody has ever claimed the partition
 */
export async function holdPartition(
  sql: Sql,
  name: string,
  partition: number,
  { withNotice = false } = {},
): Promise<number | undefined> {
  // The version table first, as runners and rebuilds take them: the other order deadlocks.
  await sql.query(`LOCK TABLE ${versionTable(name)} IN ROW SHARE MODE`)
  const { rows } = await sql.query<{ position: number }>(
    withNotice
      ? `UPDATE projections.checkpoint SET parking = parking + 1 WHERE projection = $1 AND partition = $2::int RETURNING position`
      : `SELECT position FROM projections.checkpoint WHERE projection = $1 AND partition = $2::int FOR NO KEY UPDATE`,
    [name, partition],
  )
  return rows[0] === undefined ? undefined : Number(rows[0].position)
}
