import type { Sql } from '@rollcall/database'
import type { Logger } from '@rollcall/observability'
import { RelayFencedError } from '../errors.js'
import { type Page, pageOfRows } from './page.js'
import type { SnapshotText } from './snapshot.js'

export interface RepublisherOptions {
  readonly sql: Sql
  readonly epoch: number
  readonly perSecond: number
  /** Sends a page although the topic may hold its messages. */
  readonly sendAgain: (page: Page) => Promise<void>
  readonly logger: Logger
}

/** Works off `outbox.republish` beside the live traffic, a small page at a time. */
export interface Republisher {
  /** A page when one is due. Call while live, between looks; `snap`: everything visible in it is shipped. */
  step(snap: SnapshotText): Promise<void>
  /**
   * Before a page of new messages goes out: sends what is still to be sent again of the same aggregates, so that a reader
   * who knows nothing of them yet meets no version before a lower one. Their turn comes once more later.
   */
  before(page: Page): Promise<void>
  /** Milliseconds until `step` may have something to do. */
  dueInMs(): number
}

export function createRepublisher({ sql, epoch, perSecond, sendAgain, logger }: RepublisherOptions): Republisher {
  let job: OpenJob | undefined
  let dueMs = 0
  // A job the former relay began goes on in this term, and `before` must know of it from the first page on.
  let hasLooked = false

  const find = async (snap: SnapshotText): Promise<OpenJob | undefined> => {
    const { rows } = await sql.query<JobRow>(OPEN_JOB_SQL)
    const row = rows[0]
    if (row === undefined) return undefined
    if (row.snap === null) {
      const begun = await sql.query<JobRow>(BEGIN_SQL, [row.id, snap, epoch])
      const first = begun.rows[0]
      if (first === undefined) throw new RelayFencedError(epoch)
      logger.info({ epoch, republish: Number(row.id) }, 'sending messages again')
      return openJob(first)
    }
    return openJob(row)
  }

  const advance = async ({ id }: OpenJob, lastId: number, rows: number, isLast: boolean) => {
    const { rowCount } = await sql.query(
      `UPDATE outbox.republish SET last_id = $2, sent = sent + $3,
         finished_at = CASE WHEN $4 THEN clock_timestamp() END
       WHERE id = $1 AND EXISTS (SELECT FROM outbox.relay WHERE epoch = $5)`,
      [id, lastId, rows, isLast, epoch],
    )
    if (rowCount !== 1) throw new RelayFencedError(epoch)
  }

  return {
    async step(snap) {
      if (performance.now() < dueMs) return
      job ??= await find(snap)
      if (job === undefined) {
        dueMs = performance.now() + LOOK_EVERY_MS
        return
      }
      const page = await readPage(sql, job, '', [])
      if (page.rows > 0) await sendAgain(page)
      const isLast = page.rows < PAGE_ROWS
      await advance(job, isLast ? job.upToId : page.lastId, page.rows, isLast)
      job.lastId = page.lastId
      dueMs = performance.now() + (page.rows / perSecond) * 1_000
      if (!isLast) return
      logger.info({ epoch, republish: Number(job.id) }, 'messages are sent again')
      job = undefined
    },
    async before(page) {
      if (!hasLooked) {
        hasLooked = true
        const row = (await sql.query<JobRow>(OPEN_JOB_SQL)).rows[0]
        if (row !== undefined && row.snap !== null) job = openJob(row)
      }
      if (job === undefined) return
      const ids = [...page.topics.values()].flatMap((batch) => batch.ids)
      for (let from = job.lastId; ; ) {
        const again = await readPage(sql, { ...job, lastId: from }, OF_SAME_AGGREGATES, [ids])
        if (again.rows > 0) await sendAgain(again)
        if (again.rows < PAGE_ROWS) return
        from = again.lastId
      }
    },
    dueInMs: () => (job === undefined ? Number.POSITIVE_INFINITY : Math.max(0, dueMs - performance.now())),
  }
}

/** Small, so that a look at new messages is never far off. */
const PAGE_ROWS = 500
const LOOK_EVERY_MS = 500

interface OpenJob {
  readonly id: string
  readonly aggregateId: string | null
  readonly since: Date | null
  readonly snap: string
  readonly upToId: number
  lastId: number
}

interface JobRow {
  id: string
  aggregate_id: string | null
  since: Date | null
  snap: string | null
  up_to_id: string | null
  last_id: string
}

const openJob = (row: JobRow): OpenJob => ({
  id: row.id,
  aggregateId: row.aggregate_id,
  since: row.since,
  snap: row.snap as string,
  upToId: Number(row.up_to_id),
  lastId: Number(row.last_id),
})

const COLUMNS = 'id, aggregate_id, since, snap::text, up_to_id, last_id'
const OPEN_JOB_SQL = `SELECT ${COLUMNS} FROM outbox.republish WHERE finished_at IS NULL ORDER BY id LIMIT 1`

// What is not shipped yet needs no republishing, and would get ahead of the versions before it.
const BEGIN_SQL = `
  UPDATE outbox.republish r SET started_at = clock_timestamp(), snap = $2::pg_snapshot,
    up_to_id = coalesce((SELECT max(id) FROM outbox.message), 0),
    last_id = CASE WHEN since IS NULL THEN 0
      ELSE coalesce((SELECT min(id) FROM outbox.message WHERE created_at >= r.since) - 1, 0) END
  WHERE id = $1 AND EXISTS (SELECT FROM outbox.relay WHERE epoch = $3)
  RETURNING ${COLUMNS}`

const OF_SAME_AGGREGATES = 'AND aggregate_id IN (SELECT aggregate_id FROM outbox.message WHERE id = ANY ($6::bigint[]))'

async function readPage(sql: Sql, job: OpenJob, condition: string, more: readonly unknown[]): Promise<Page> {
  const { rows } = await sql.query<{ id: string; at_ms: string; topic: string; record: string }>(
    `SELECT id, floor(extract(epoch FROM created_at) * 1000)::bigint AS at_ms, topic,
       '\\x' || encode(record, 'hex') AS record
     FROM outbox.message
     WHERE id > $1 AND id <= $2 AND pg_visible_in_snapshot(xid, $3::pg_snapshot)
       AND ($4::uuid IS NULL OR aggregate_id = $4) AND ($5::timestamptz IS NULL OR created_at >= $5) ${condition}
     ORDER BY id LIMIT ${PAGE_ROWS}`,
    [job.lastId, job.upToId, job.snap, job.aggregateId, job.since, ...more],
  )
  return pageOfRows(rows.map(({ id, at_ms, topic, record }) => [id, at_ms, topic, record] as const))
}
