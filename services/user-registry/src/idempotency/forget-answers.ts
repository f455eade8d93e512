import type { Sql } from '@rollcall/database'

/** Forgets idempotent answers older than `keepMs`, a bounded slice at a time, so that no statement runs for long. */
export async function forgetAnswers(sql: Sql, keepMs: number, slice = 5_000): Promise<number> {
  let forgotten = 0
  for (;;) {
    const { rowCount } = await sql.query(
      `DELETE FROM idempotency_key WHERE (tenant_id, principal, key) IN (
         SELECT tenant_id, principal, key FROM idempotency_key
         WHERE created_at < now() - $1 * interval '1 ms' ORDER BY created_at LIMIT $2)`,
      [keepMs, slice],
    )
    forgotten += rowCount ?? 0
    if ((rowCount ?? 0) < slice) return forgotten
  }
}
