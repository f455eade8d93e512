import type { PoolClient } from '@rollcall/database'
import { quoted } from '../store/table-rows.js'

/** One table of two sides. */
export interface ComparedTable {
  /** As people call it. */
  readonly name: string
  /** Qualified and quoted. */
  readonly live: string
  readonly other: string
}

export interface RowDifference {
  readonly table: string
  /** The primary key, or null in a table without one. */
  readonly key: string | null
  /** Null when the row is missing there. */
  readonly live: Readonly<Record<string, unknown>> | null
  readonly other: Readonly<Record<string, unknown>> | null
}

export interface Comparison {
  /** Rows compared, of both sides together. */
  readonly rows: number
  readonly differing: number
  /** The first of them. */
  readonly differences: readonly RowDifference[]
  /** Tables whose columns are not the same: another shape, not compared. */
  readonly reshaped: readonly string[]
}

const BUCKETS = 1_024
const SHOWN = 20

/**
 * Compares two sides in the snapshot of the client: order-independent hashes per bucket, then row by row within the
 * buckets that disagree. Nothing leaves the database but what differs.
 */
export async function compareSides(
  client: PoolClient,
  tables: readonly ComparedTable[],
  /** Keys of rows that may differ: of parked users. */
  except: ReadonlySet<string>,
): Promise<Comparison> {
  let rows = 0
  let differing = 0
  const differences: RowDifference[] = []
  const reshaped: string[] = []
  for (const table of tables) {
    const columns = await columnsOf(client, table.live)
    if (columns.join() !== (await columnsOf(client, table.other)).join()) {
      reshaped.push(table.name)
      continue
    }
    const key = await keyOf(client, table.live)
    const bucketed = await unequalBuckets(client, table, key)
    rows += bucketed.rows
    if (bucketed.unequal.length === 0) continue
    const all = await rowDifferences(client, table, key, bucketed.unequal)
    const found = all.filter((one) => one.key === null || !except.has(one.key))
    differing += found.length
    differences.push(...found.slice(0, SHOWN - differences.length))
  }
  return { rows, differing, differences, reshaped }
}

async function columnsOf(client: PoolClient, table: string): Promise<string[]> {
  const { rows } = await client.query<{ column: string }>(
    `SELECT attname || ' ' || format_type(atttypid, atttypmod) AS column FROM pg_attribute
     WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [table],
  )
  return rows.map(({ column }) => column)
}

/** The columns of the primary key. */
async function keyOf(client: PoolClient, table: string): Promise<string[]> {
  const { rows } = await client.query<{ column: string }>(
    `SELECT a.attname::text AS column FROM pg_index i
     JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
     WHERE i.indrelid = to_regclass($1) AND i.indisprimary ORDER BY array_position(i.indkey::int2[], a.attnum)`,
    [table],
  )
  return rows.map(({ column }) => column)
}

// A row is hashed as Postgres writes it. By its key it falls into the same bucket on both sides; without a key, by itself.
const rowText = 't::text'
const keyText = (key: readonly string[]) =>
  key.length === 0 ? rowText : `ROW(${key.map((column) => `t.${quoted(column)}`).join(', ')})::text`
const bucketOf = (key: readonly string[]) => `(hashtextextended(${keyText(key)}, 1) & ${BUCKETS - 1})`

async function unequalBuckets(client: PoolClient, { live, other }: ComparedTable, key: readonly string[]) {
  // A sum and not an exclusive or: equal rows in a table without a key must not cancel each other.
  const side = (table: string) =>
    `SELECT ${bucketOf(key)} AS bucket, count(*) AS rows, sum(hashtextextended(${rowText}, 0)::numeric) AS hash
     FROM ${table} t GROUP BY 1`
  const { rows } = await client.query<{ bucket: number; rows: number; equal: boolean }>(
    `SELECT coalesce(l.bucket, o.bucket)::int AS bucket, (coalesce(l.rows, 0) + coalesce(o.rows, 0))::float8 AS rows,
       l.rows IS NOT DISTINCT FROM o.rows AND l.hash IS NOT DISTINCT FROM o.hash AS equal
     FROM (${side(live)}) l FULL JOIN (${side(other)}) o ON o.bucket = l.bucket`,
  )
  return {
    rows: rows.reduce((sum, one) => sum + Number(one.rows), 0),
    unequal: rows.filter(({ equal }) => !equal).map(({ bucket }) => bucket),
  }
}

async function rowDifferences(
  client: PoolClient,
  { name, live, other }: ComparedTable,
  key: readonly string[],
  buckets: readonly number[],
): Promise<RowDifference[]> {
  // Numbered, so that of equal rows without a key each has its partner.
  const side = (table: string) =>
    `SELECT ${keyText(key)} AS key, ${rowText} AS text, to_jsonb(t) AS row,
       row_number() OVER (PARTITION BY ${rowText}) AS nth
     FROM ${table} t WHERE ${bucketOf(key)} = ANY ($1::bigint[])`
  const { rows } = await client.query<{ key: string; live: Row | null; other: Row | null }>(
    `SELECT coalesce(l.key, o.key) AS key, l.row AS live, o.row AS other
     FROM (${side(live)}) l FULL JOIN (${side(other)}) o ON o.key = l.key AND (o.nth = l.nth OR $2)
     WHERE l.text IS DISTINCT FROM o.text ORDER BY 1`,
    [buckets, key.length > 0],
  )
  return rows.map((row) => ({ table: name, ...row, key: key.length === 0 ? null : row.key.slice(1, -1) }))
}

type Row = Readonly<Record<string, unknown>>
