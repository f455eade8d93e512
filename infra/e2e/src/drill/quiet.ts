import type { Pool } from '@rollcall/database'
import { until } from '../stack/until.js'

export interface QuietOptions {
  readonly registry: Pool
  /** Databases that hold `projections.applied_version`, by the projection to look at. */
  readonly consumers: ReadonlyArray<{ readonly pool: Pool; readonly projection: string }>
  readonly timeoutMs: number
}

/**
 * Resolves with the milliseconds it took until every consumer has applied as many versions as the registry has
 * committed.
 *
 * @throws ConditionNotMetError after `timeoutMs`.
 */
export async function quiet({ registry, consumers, timeoutMs }: QuietOptions): Promise<number> {
  const startedAt = Date.now()
  await until({ what: 'every consumer has applied every change', timeoutMs, pollMs: 200 }, async () => {
    const committed = await total(registry, 'SELECT coalesce(sum(version), 0)::float8 AS total FROM user_account')
    for (const { pool, projection } of consumers) {
      const applied = await total(
        pool,
        'SELECT coalesce(sum(version), 0)::float8 AS total FROM projections.applied_version WHERE projection = $1',
        [projection],
      )
      if (applied !== committed) return false
    }
    return true
  })
  return Date.now() - startedAt
}

async function total(pool: Pool, sql: string, values: unknown[] = []): Promise<number> {
  const { rows } = await pool.query<{ total: number }>(sql, values)
  return rows[0]?.total ?? 0
}
