import type { Sql } from '@rollcall/database'

/** One message on its way to Kafka. */
export interface OutboxMessage {
  /** The aggregate the message is about; a UUID. */
  readonly aggregateId: string
  /** The aggregate's version after the change: from 1, without a gap. */
  readonly version: number
  readonly topic: string
  /** `encodeRecordBody` of @rollcall/kafka: key, value and headers as they will stand in the log. */
  readonly record: Buffer
}

/**
 * The INSERT for a writer that does everything in one statement: give the SELECT that yields aggregate id, version,
 * topic and record, from the CTE that changed the aggregate.
 *
 * Must read from that CTE, so that the message's id is drawn while the aggregate's row lock is held: that is what
 * keeps the order per aggregate.
 *
 * @example
 * `WITH u AS (UPDATE … RETURNING id, version) ${appendOutboxSql("SELECT id, version, 'users.lifecycle.v1', $4::bytea FROM u")}`
 */
export function appendOutboxSql(select: string): string {
  return `INSERT INTO outbox.message (aggregate_id, version, topic, record) ${select}`
}

/**
 * Appends messages in the given order, in one statement. Must run in the transaction that changed the aggregates,
 * after their rows were written (their row locks are what keeps the order per aggregate).
 *
 * Rejects with a unique violation when an aggregate's version is already there.
 */
export async function appendToOutbox(sql: Sql, messages: readonly OutboxMessage[]): Promise<void> {
  if (messages.length === 0) return
  await sql.query({
    name: 'outbox_append',
    text: appendOutboxSql(
      `SELECT aggregate_id, version, topic, record
       FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::bytea[])
         WITH ORDINALITY AS m (aggregate_id, version, topic, record, position)
       ORDER BY position`,
    ),
    values: [
      messages.map((message) => message.aggregateId),
      messages.map((message) => message.version),
      messages.map((message) => message.topic),
      messages.map((message) => message.record),
    ],
  })
}
