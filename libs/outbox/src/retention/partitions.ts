import type { Sql } from '@rollcall/database'

/** One partition of outbox.message, by its id range. */
export interface Partition {
  /** Unqualified, without need of quotes. */
  readonly table: string
  /** First id it takes. */
  readonly from: number
  /** First id it no longer takes. */
  readonly to: number
}

/** Reads the range partitions in id order; the default partition is not among them. */
export async function readPartitions(sql: Sql): Promise<Partition[]> {
  const { rows } = await sql.query<{ table_name: string; bound: string }>(
    `SELECT c.relname AS table_name, pg_get_expr(c.relpartbound, c.oid) AS bound
     FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'outbox.message'::regclass AND pg_get_expr(c.relpartbound, c.oid) LIKE 'FOR VALUES FROM%'`,
  )
  return rows
    .map(({ table_name, bound }) => {
      const [, from, to] = /FROM \('(\d+)'\) TO \('(\d+)'\)/.exec(bound) ?? []
      return { table: table_name, from: Number(from), to: Number(to) }
    })
    .sort((one, other) => one.from - other.from)
}

/** The newest id drawn so far, committed or not; 0 before the first. */
export async function newestId(sql: Sql): Promise<number> {
  const { rows } = await sql.query<{ newest: string | null }>(
    `SELECT pg_sequence_last_value(pg_get_serial_sequence('outbox.message', 'id')::regclass) AS newest`,
  )
  return Number(rows[0]?.newest ?? 0)
}
