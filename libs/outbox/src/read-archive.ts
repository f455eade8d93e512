import type { Sql } from '@rollcall/database'

export interface ArchivedMessage {
  readonly id: number
  readonly version: number
  readonly topic: string
  readonly record: Buffer
  readonly createdAt: Date
}

export interface ReadArchiveOptions {
  /** Only versions above this one. @default 0 */
  readonly afterVersion?: number
  /** Most messages to return. @default 1000 */
  readonly limit?: number
}

/**
 * Reads one aggregate's messages in version order, shipped or not, as far back as retention keeps them. Returns the
 * record bodies as stored: `decodeRecordBody` opens them.
 */
export async function readArchive(
  sql: Sql,
  aggregateId: string,
  { afterVersion = 0, limit = 1_000 }: ReadArchiveOptions = {},
): Promise<ArchivedMessage[]> {
  const { rows } = await sql.query<{ id: string; version: string; topic: string; record: Buffer; created_at: Date }>({
    name: 'outbox_read_archive',
    text: `SELECT id, version, topic, record, created_at FROM outbox.message
           WHERE aggregate_id = $1 AND version > $2 ORDER BY version LIMIT $3`,
    values: [aggregateId, afterVersion, limit],
  })
  return rows.map((row) => ({
    id: Number(row.id),
    version: Number(row.version),
    topic: row.topic,
    record: row.record,
    createdAt: row.created_at,
  }))
}
