import type { StoreTransaction } from './projection-store.js'

export interface WrittenTable {
  readonly schema: string
  /** Quoted, and qualified where the search path does not find it. */
  readonly name: string
  /** Always qualified. */
  readonly fullName: string
  /** Columns of the primary key; none without one. */
  readonly key: readonly string[]
}

/**
 * The tables outside the schema `projections` that the transaction has written so far, whatever wrote them: a statement that
 * writes holds its RowExclusiveLock until the end. (`pg_stat_xact_user_tables` also counts what earlier transactions of the
 * same connection did within the last second, until Postgres hands it on.)
 */
export async function writtenTables({ sql }: Pick<StoreTransaction<unknown>, 'sql'>): Promise<WrittenTable[]> {
  const { rows } = await sql.query<WrittenTable>(
    `SELECT n.nspname::text AS schema, c.oid::regclass::text AS name,
       format('%I.%I', n.nspname, c.relname) AS "fullName",
       ARRAY(SELECT a.attname::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid
         AND a.attnum = ANY (i.indkey) WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY a.attnum) AS key
     FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.mode = 'RowExclusiveLock'
       AND c.relkind = 'r' AND n.nspname NOT IN ('projections', 'pg_catalog') ORDER BY 3`,
  )
  return rows
}
