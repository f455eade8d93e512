import type { Sql } from '@rollcall/database'

/** Which messages go to their topic once more: those of one aggregate, or all written since a time. */
export type RepublishScope = { readonly aggregateId: string } | { readonly since: Date }

export interface RepublishPlan {
  /** Retained messages in the scope, whether shipped or not. */
  readonly messages: number
  readonly firstAt: Date | null
  readonly lastAt: Date | null
}

export interface RepublishJob {
  readonly id: number
  readonly aggregateId: string | null
  readonly since: Date | null
  readonly reason: string
  readonly requestedAt: Date
  readonly startedAt: Date | null
  readonly finishedAt: Date | null
  readonly sent: number
}

/** Counts what a republish would send. Reads the whole scope. */
export async function planRepublish(sql: Sql, scope: RepublishScope): Promise<RepublishPlan> {
  const { rows } = await sql.query<{ messages: string; first_at: Date | null; last_at: Date | null }>(
    `SELECT count(*) AS messages, min(created_at) AS first_at, max(created_at) AS last_at
     FROM outbox.message WHERE ${'since' in scope ? 'created_at >= $1' : 'aggregate_id = $1'}`,
    ['since' in scope ? scope.since : scope.aggregateId],
  )
  const row = rows[0]
  return { messages: Number(row?.messages ?? 0), firstAt: row?.first_at ?? null, lastAt: row?.last_at ?? null }
}

/**
 * Asks the leading relay to send the messages of the scope once more, with the bytes, and so the ids and versions, they
 * have: consumers that know them skip them. Partitions they lie in are kept until it is done. May run in the transaction
 * of an audit entry.
 *
 * @returns the job's id, for `readRepublish`.
 */
export async function requestRepublish(sql: Sql, scope: RepublishScope, reason: string): Promise<number> {
  const { rows } = await sql.query<{ id: string }>(
    // The look at outbox.message takes its lock: no partition is dropped between the request and its commit.
    `INSERT INTO outbox.republish (aggregate_id, since, reason)
     SELECT $1::uuid, $2::timestamptz, $3 FROM (SELECT count(*) FROM (SELECT FROM outbox.message LIMIT 1) one) locking
     RETURNING id`,
    ['since' in scope ? null : scope.aggregateId, 'since' in scope ? scope.since : null, reason],
  )
  return Number(rows[0]?.id)
}

/** How far one is; undefined when there is none of that id. */
export async function readRepublish(sql: Sql, id: number): Promise<RepublishJob | undefined> {
  const { rows } = await sql.query<JobRow>(`SELECT ${JOB_COLUMNS} FROM outbox.republish WHERE id = $1`, [id])
  const row = rows[0]
  if (row === undefined) return undefined
  return {
    id: Number(row.id),
    aggregateId: row.aggregate_id,
    since: row.since,
    reason: row.reason,
    requestedAt: row.requested_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    sent: Number(row.sent),
  }
}

const JOB_COLUMNS = 'id, aggregate_id, since, reason, requested_at, started_at, finished_at, sent'

interface JobRow {
  id: string
  aggregate_id: string | null
  since: Date | null
  reason: string
  requested_at: Date
  started_at: Date | null
  finished_at: Date | null
  sent: string
}
