import { copyOutPage } from '@rollcall/database'
import pg from 'pg'
import { type LiveRow, PAGE_COLUMNS, type Page, pageOfRows, parsePage } from './page.js'
import { EMPTY_SNAPSHOT, inProgressOf, type SnapshotText, snapshotText, xmaxOf } from './snapshot.js'

/** What one look at the outbox found. */
export interface Tick {
  /** The snapshot of this look: the next look continues from it. */
  readonly snapshot: SnapshotText
  /** Undefined when there was more than the live limit: read it as a back-log up to `snapshot`. */
  readonly page: Page | undefined
}

/** Where the rows of a frozen window lie. */
export interface BackLogRange {
  /** First id of the rows written by transactions that began after the lower snapshot. */
  readonly firstFresh: number
  /** First id over all rows of the window; `Infinity` when it is empty. */
  readonly first: number
}

/** Reads the outbox on a connection of its own, whose planner settings are fixed. */
export interface OutboxReader {
  /** The rows visible now and not in `since`; the one statement of the live path. */
  tick(since: SnapshotText, limit: number): Promise<Tick>
  backLogRange(lower: SnapshotText, upper: SnapshotText, pageRows: number): Promise<BackLogRange>
  /** The next rows after `lastId` that are visible in `upper` and not in `lower`, in id order. */
  backLogPage(
    lower: SnapshotText,
    upper: SnapshotText,
    range: BackLogRange,
    lastId: number,
    pageRows: number,
  ): Promise<Page>
  close(): Promise<void>
}

/** Opens the reader's connection; rejects when the database does not answer. */
export async function openOutboxReader(url: string, applicationName: string): Promise<OutboxReader> {
  const client = new pg.Client({
    connectionString: url,
    application_name: applicationName,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  })
  // Reported by the statement that runs or comes next.
  client.on('error', () => {})
  await client.connect()
  await client.query(READER_SETTINGS)
  return {
    tick: (since, limit) => tick(client, since, limit),
    backLogRange: (lower, upper, pageRows) => backLogRange(client, lower, upper, pageRows),
    backLogPage: (lower, upper, range, lastId, pageRows) => backLogPage(client, lower, upper, range, lastId, pageRows),
    async close() {
      await client.end().catch(() => {})
    },
  }
}

/**
 * Without these a generic plan of the tick expects half the table and scans it: 8 ms instead of 0.06 ms at 5 million
 * rows; and the back-log could be sorted anew for each page.
 */
export const READER_SETTINGS = `
  SET plan_cache_mode = force_generic_plan;
  SET max_parallel_workers_per_gather = 0;
  SET enable_seqscan = off;
  SET enable_bitmapscan = off;
  SET jit = off;
  SET statement_timeout = 0`

/** $1 snapshot, $2 its in-progress list, $3 limit of each arm. */
export const TICK_SQL = `
  SELECT NULL::bigint, NULL::bigint, NULL::text, convert_to(pg_current_snapshot()::text, 'UTF8')
  UNION ALL
  (SELECT id, floor(extract(epoch FROM created_at) * 1000)::bigint, topic, record FROM outbox.message
   WHERE xid >= pg_snapshot_xmax($1::pg_snapshot) LIMIT $3)
  UNION ALL
  (SELECT id, floor(extract(epoch FROM created_at) * 1000)::bigint, topic, record FROM outbox.message
   WHERE xid = ANY ($2::xid8[]) LIMIT $3)`

/** The statement behind a back-log page; also the one whose plan a test asserts. */
export function backLogPageSql(lower: SnapshotText, upper: SnapshotText, lastId: number, pageRows: number): string {
  // Functions of xid, not comparisons: the planner must walk the ids, never sort what an xid range gives.
  const notInLower = lower === EMPTY_SNAPSHOT ? '' : `AND NOT pg_visible_in_snapshot(xid, '${lower}')`
  return `SELECT ${PAGE_COLUMNS} FROM outbox.message
    WHERE id > ${lastId} AND pg_visible_in_snapshot(xid, '${upper}') ${notInLower} ORDER BY id LIMIT ${pageRows}`
}

async function tick(client: pg.Client, since: SnapshotText, limit: number): Promise<Tick> {
  const { rows } = await client.query<[null, null, null, string] | [string, string, string, string]>({
    name: 'outbox_tick',
    text: TICK_SQL,
    values: [since, `{${inProgressOf(since)}}`, limit + 1],
    rowMode: 'array',
    types: rawText,
  })
  let snapshot: SnapshotText | undefined
  const found: LiveRow[] = []
  for (const row of rows) {
    if (row[0] === null) snapshot = snapshotText(Buffer.from(row[3].slice(2), 'hex').toString('latin1'))
    else found.push(row)
  }
  if (snapshot === undefined) throw new Error('the tick returned no snapshot')
  return { snapshot, page: found.length > limit ? undefined : pageOfRows(found) }
}

// Everything as Postgres sent it: bytea is decoded once, where it is used.
const rawText = { getTypeParser: () => (text: string) => text } as unknown as pg.CustomTypesConfig

async function backLogRange(
  client: pg.Client,
  lower: SnapshotText,
  upper: SnapshotText,
  pageRows: number,
): Promise<BackLogRange> {
  const { rows } = await client.query<{ fresh: string | null; late: string | null; late_count: string }>(
    lower === EMPTY_SNAPSHOT ? WHOLE_RANGE_SQL : rangeSql(lower, upper),
  )
  const row = rows[0]
  const fresh = Number(row?.fresh ?? Number.POSITIVE_INFINITY)
  const late = Number(row?.late ?? Number.POSITIVE_INFINITY)
  const first = Math.min(fresh, late)
  // Few late rows are fetched by their transaction ids; one huge late transaction is better walked by id with the rest.
  return { first, firstFresh: Number(row?.late_count ?? 0) > pageRows * 4 ? first : fresh }
}

const WHOLE_RANGE_SQL = 'SELECT min(id) AS fresh, NULL AS late, 0 AS late_count FROM outbox.message'

// OFFSET 0 keeps min(id) from walking the primary key from the oldest retained row.
function rangeSql(lower: SnapshotText, upper: SnapshotText): string {
  return `
    SELECT fresh.first AS fresh, late.first AS late, late.count AS late_count
    FROM (SELECT min(id) AS first FROM (
        SELECT id FROM outbox.message
        WHERE xid >= '${xmaxOf(lower)}'::xid8 AND pg_visible_in_snapshot(xid, '${upper}') OFFSET 0) f) fresh,
      (SELECT min(id) AS first, count(*) AS count FROM (${lateRowsSql('id', lower, upper)} OFFSET 0) l) late`
}

function lateRowsSql(columns: string, lower: SnapshotText, upper: SnapshotText): string {
  return `SELECT ${columns} FROM outbox.message
    WHERE xid = ANY ('{${inProgressOf(lower)}}'::xid8[]) AND pg_visible_in_snapshot(xid, '${upper}')`
}

async function backLogPage(
  client: pg.Client,
  lower: SnapshotText,
  upper: SnapshotText,
  range: BackLogRange,
  lastId: number,
  pageRows: number,
): Promise<Page> {
  if (lastId + 1 < range.firstFresh && range.first < range.firstFresh) {
    // Rows of transactions that were open at the lower snapshot, below everything fresh: without this arm one old
    // open transaction would make the walk start at its first row, over everything retained since.
    const end = Number.isFinite(range.firstFresh) ? `AND id < ${range.firstFresh}` : ''
    const late = `${lateRowsSql(PAGE_COLUMNS, lower, upper)} AND id > ${lastId} ${end} ORDER BY id LIMIT ${pageRows}`
    const page = parsePage(await copyOutPage(client, `COPY (${late}) TO STDOUT (FORMAT binary)`))
    if (page.rows > 0 || !Number.isFinite(range.firstFresh)) return page
  }
  const from = Math.max(lastId, Number.isFinite(range.firstFresh) ? range.firstFresh - 1 : lastId)
  const sql = backLogPageSql(lower, upper, from, pageRows)
  return parsePage(await copyOutPage(client, `COPY (${sql}) TO STDOUT (FORMAT binary)`))
}
