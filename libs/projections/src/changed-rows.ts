import type { ProjectionStore, StoreTransaction } from './projection-store.js'
import { quoted } from './table-rows.js'

/** A row a transaction changed: as committed before it, and as it would be. */
export interface ChangedRow {
  readonly table: string
  /** Null when the row is new. */
  readonly before: Readonly<Record<string, unknown>> | null
  /** Null when the row is deleted. */
  readonly after: Readonly<Record<string, unknown>> | null
}

const MOST_ROWS = 50

/**
 * The rows the transaction has inserted, changed or deleted so far, of tables with a primary key, outside the schema
 * `projections`. Found by what Postgres itself counts and marks (pg_stat_xact_user_tables, xmin), so that it holds for
 * handlers of any form; the rows before are read outside the transaction.
 */
export async function changedRows<Tx>(
  { sql }: StoreTransaction<Tx>,
  { outside }: Pick<ProjectionStore<Tx>, 'outside'>,
): Promise<ChangedRow[]> {
  const { rows: tables } = await sql.query<{ name: string; key: string[]; deletes: boolean }>(
    `SELECT s.relid::regclass::text AS name, s.n_tup_del > 0 AS deletes,
       ARRAY(SELECT a.attname::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid
         AND a.attnum = ANY (i.indkey) WHERE i.indrelid = s.relid AND i.indisprimary ORDER BY a.attnum) AS key
     FROM pg_stat_xact_user_tables s
     WHERE s.schemaname <> 'projections' AND s.n_tup_ins + s.n_tup_upd + s.n_tup_del > 0 ORDER BY 1`,
  )
  const changed: ChangedRow[] = []
  for (const { name, key, deletes } of tables) {
    if (key.length === 0) continue
    const { rows } = await sql.query<{ row: Row }>(
      `SELECT to_jsonb(t) AS row FROM ${name} t
       WHERE t.xmin::text::bigint = (pg_current_xact_id()::text::bigint & 4294967295) LIMIT ${MOST_ROWS}`,
    )
    const columns = key.map((column) => `t.${quoted(column)}::text`).join(', ')
    const keysOf = (all: readonly { row: Row }[]) => all.map(({ row }) => key.map((column) => textOf(row[column])))
    const before = await outside.query<{ row: Row }>(
      `SELECT to_jsonb(t) AS row FROM ${name} t WHERE jsonb_build_array(${columns}) = ANY ($1::jsonb[])`,
      [keysOf(rows).map((one) => JSON.stringify(one))],
    )
    const known = new Map(before.rows.map(({ row }) => [key.map((column) => textOf(row[column])).join('\n'), row]))
    for (const { row } of rows) {
      changed.push({
        table: name,
        before: known.get(key.map((column) => textOf(row[column])).join('\n')) ?? null,
        after: row,
      })
    }
    if (deletes) changed.push(...(await deletedRows(sql, outside, { name, columns })))
  }
  return changed
}

type Row = Record<string, unknown>
type Sql = StoreTransaction<unknown>['sql']

// Deleted rows are marked with our transaction in xmax, which others still see.
async function deletedRows(sql: Sql, outside: Sql, { name, columns }: { name: string; columns: string }) {
  const { rows } = await sql.query<{ xid: string }>(
    'SELECT (pg_current_xact_id()::text::bigint & 4294967295)::text AS xid',
  )
  const gone = await outside.query<{ row: Row; key: string }>(
    `SELECT to_jsonb(t) AS row, jsonb_build_array(${columns})::text AS key FROM ${name} t WHERE t.xmax::text = $1
     LIMIT ${MOST_ROWS}`,
    [rows[0]?.xid],
  )
  // An updated row has our xmax too: what is still there under its key was not deleted.
  const still = await sql.query<{ key: string }>(
    `SELECT jsonb_build_array(${columns})::text AS key FROM ${name} t WHERE jsonb_build_array(${columns})::text = ANY ($1::text[])`,
    [gone.rows.map(({ key }) => key)],
  )
  const there = new Set(still.rows.map(({ key }) => key))
  return gone.rows
    .filter(({ key }) => !there.has(key))
    .map(({ row }): ChangedRow => ({ table: name, before: row, after: null }))
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))
