import type { Sql } from '@rollcall/database'

/** Forgets idempotent answers older than `keepMs`, at most `limit` of them, so that no statement runs for long. */
export async function forgetAnswers(sql: Sql, keepMs: number, limit = 5_000): Promise<number> {
  const { rowCount } = await sql.query(
    `DELETE FROM idempotency_key WHERE (tenant_id, principal, key) IN (
       SELECT tenant_id, principal, key FROM idempotency_key
       WHERE created_at < now() - $1 * interval '1 ms' ORDER BY created_at LIMIT $2)`,
    [keepMs, limit],
  )
  return rowCount ?? 0
}
