import type { ProjectionStore, StoreTransaction } from './projection-store.js'
import { quoted } from './table-rows.js'
import { writtenTables } from './written-tables.js'

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
 * `projections`. Found by what Postgres itself locks and marks (xmin), so that it holds for handlers of any form; the
 * rows before are read outside the transaction.
 */
export async function changedRows<Tx>(
  { sql }: StoreTransaction<Tx>,
  { outside }: Pick<ProjectionStore<Tx>, 'outside'>,
): Promise<ChangedRow[]> {
  const tables = await writtenTables({ sql })
  const changed: ChangedRow[] = []
  for (const { name, key } of tables) {
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
    changed.push(...(await deletedRows(sql, outside, { name, columns })))
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
