import type { Sql } from '@rollcall/database'
import type { TableWriter } from '../apply/table-writer.js'
import type { ProjectedEvent, TableProjection } from '../define-projection.js'
import { quoted, rowJson } from '../store/table-rows.js'
import { versionTable } from '../store/version-table.js'

/** What rows are not as `row()` says. */
export type RowDifferenceKind =
  /** `row()` answers one, the table has none. */
  | 'row missing'
  /** The table has one, `row()` answers none, or no event of the user was ever applied. */
  | 'row extra'
  | 'row differs'
  /** `row()` fails on the event by now. */
  | 'row failed'

export interface RowDifference {
  readonly userId: string
  readonly kind: RowDifferenceKind
  readonly version: number
  /** The columns that differ; their values are nobody's business. */
  readonly columns: readonly string[]
}

export interface ComparedRows {
  readonly differences: readonly RowDifference[]
  /** Users of whom another version is applied than that of the event. */
  readonly elsewhere: readonly string[]
  /** Users of whom no version is applied. */
  readonly unknown: number
  /** Users on whose event `row()` fails. */
  readonly failed: readonly string[]
}

/** Compares rows of a `table` projection with what `row()` answers, in the database, by the table's own types. */
export interface RowComparer<E extends ProjectedEvent> {
  /** One event per user; rows are compared where exactly that version is applied. */
  compare(sql: Sql, events: readonly E[]): Promise<ComparedRows>
  /** Rows of users of whom no event was ever applied. */
  strangers(sql: Sql, limit: number): Promise<readonly string[]>
  /** The users who have a row, of these. */
  withRow(sql: Sql, userIds: readonly string[]): Promise<ReadonlySet<string>>
  /** Removes the row of a user of whom no event was ever applied; false when there is none. */
  removeStranger(sql: Sql, userId: string): Promise<boolean>
}

export function rowComparer<E extends ProjectedEvent>(
  { name, table }: TableProjection<E>,
  writer: TableWriter<E>,
): RowComparer<E> {
  const key = quoted(table.key)
  const versions = versionTable(name)
  let statement: string | undefined

  async function statementOf(sql: Sql, columns: readonly string[]): Promise<string> {
    statement ??= compareSql(columns, await withoutEquality(sql))
    return statement
  }

  /** Types that have no `=`; as text they have. */
  async function withoutEquality(sql: Sql): Promise<ReadonlySet<string>> {
    const { rows } = await sql.query<{ name: string }>(
      `SELECT attname::text AS name FROM pg_attribute
       WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND atttypid = ANY (ARRAY['json', 'json[]', 'xml',
         'xml[]', 'point', 'line', 'lseg', 'box', 'path', 'polygon', 'circle']::regtype[])`,
      [table.name],
    )
    return new Set(rows.map((row) => row.name))
  }

  function compareSql(columns: readonly string[], asText: ReadonlySet<string>): string {
    const others = columns.filter((column) => column !== table.key)
    const differs = (column: string) => {
      const cast = asText.has(column) ? '::text' : ''
      return `r.${quoted(column)}${cast} IS DISTINCT FROM p.${quoted(column)}${cast}`
    }
    const any = ['false', ...others.map(differs)].join(' OR ')
    const named = others.map((column) => `CASE WHEN ${differs(column)} THEN '${column.replaceAll("'", "''")}' END`)
    // LIMIT keeps these from becoming joins of whole tables: Postgres read all versions for each two thousand users.
    return `SELECT s.key::text, v.version AS applied, p.${key} IS NOT NULL AS has, r.${key} IS NOT NULL AS should,
        CASE WHEN p.${key} IS NULL OR r.${key} IS NULL THEN '{}'
          ELSE array_remove(ARRAY[${named.join(', ')}]::text[], NULL) END AS columns
      FROM unnest($1::uuid[], $2::bigint[]) AS s (key, version)
      LEFT JOIN LATERAL (SELECT version FROM ${versions} WHERE key = s.key LIMIT 1) v ON true
      LEFT JOIN LATERAL (SELECT * FROM ${table.name} t WHERE t.${key} = s.key LIMIT 1) p ON true
      LEFT JOIN json_populate_recordset(NULL::${table.name}, $3::json) r ON r.${key} = s.key
      WHERE v.version IS DISTINCT FROM s.version OR (p.${key} IS NULL) <> (r.${key} IS NULL)
        OR (p.${key} IS NOT NULL AND r.${key} IS NOT NULL AND (${any}))`
  }

  return {
    async compare(sql, events) {
      const said: E[] = []
      const rows: string[] = []
      const failed: string[] = []
      for (const event of events) {
        const { userId } = event
        try {
          const row = writer.rowOf(userId, event.user, event)
          if (row !== null) rows.push(rowJson(row))
          said.push(event)
        } catch {
          failed.push(userId)
        }
      }
      if (said.length === 0) return { differences: [], elsewhere: [], unknown: 0, failed }
      const columns = writer.columns()
      const { rows: found } = await sql.query<FoundRow>({
        // Before the first row the columns are not known: then all that can differ is that there are rows.
        text: columns === undefined ? compareSql([], new Set()) : await statementOf(sql, columns),
        ...(columns === undefined ? {} : { name: `projections_compare_${name}` }),
        values: [said.map(({ userId }) => userId), said.map(({ version }) => version), `[${rows.join(',')}]`],
      })
      const saidVersions = new Map(said.map(({ userId, version }) => [userId, version]))
      const differences: RowDifference[] = []
      const elsewhere: string[] = []
      let unknown = 0
      for (const { key: userId, applied, has, should, columns: differing } of found) {
        const version = saidVersions.get(userId) ?? 0
        if (applied === null) unknown++
        else if (Number(applied) !== version) elsewhere.push(userId)
        else {
          const kind = !has ? 'row missing' : should ? 'row differs' : 'row extra'
          differences.push({ userId, kind, version, columns: differing })
        }
      }
      return { differences, elsewhere, unknown, failed }
    },
    async strangers(sql, limit) {
      const { rows } = await sql.query<{ key: string }>(
        `SELECT p.${key}::text AS key FROM ${table.name} p
         WHERE NOT EXISTS (SELECT FROM ${versions} v WHERE v.key = p.${key}) LIMIT ${limit}`,
      )
      return rows.map((row) => row.key)
    },
    async withRow(sql, userIds) {
      const { rows } = await sql.query<{ key: string }>(
        `SELECT ${key}::text AS key FROM ${table.name} WHERE ${key} = ANY ($1::uuid[])`,
        [userIds],
      )
      return new Set(rows.map((row) => row.key))
    },
    async removeStranger(sql, userId) {
      const { rowCount } = await sql.query(
        `DELETE FROM ${table.name} p WHERE p.${key} = $1::uuid AND NOT EXISTS (SELECT FROM ${versions} v WHERE v.key = p.${key})`,
        [userId],
      )
      return (rowCount ?? 0) > 0
    },
  }
}

interface FoundRow {
  readonly key: string
  readonly applied: number | null
  readonly has: boolean
  readonly should: boolean
  readonly columns: string[]
}
