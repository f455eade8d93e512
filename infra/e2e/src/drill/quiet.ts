import type { Pool } from '@rollcall/database'
import { ConditionNotMetError } from '../e2e-errors.js'
import { until } from '../stack/until.js'

export interface QuietOptions {
  readonly registry: Pool
  /** Databases of consumers, by the projection to look at. */
  readonly consumers: ReadonlyArray<{ readonly pool: Pool; readonly projection: string }>
  readonly timeoutMs: number
  /** Gives up earlier when nothing has moved for this long. @default 60_000 */
  readonly stallMs?: number
}

/**
 * Resolves with the milliseconds it took until every consumer has applied as many versions as the registry has
 * committed.
 *
 * @throws ConditionNotMetError after `timeoutMs`, or when nothing moves any more.
 */
export async function quiet({ registry, consumers, timeoutMs, stallMs = 60_000 }: QuietOptions): Promise<number> {
  const startedAt = Date.now()
  let seen = ''
  let movedAt = startedAt
  const stalled = () => Date.now() - movedAt > stallMs
  const what = 'every consumer has applied every change'
  const end = await until({ what, timeoutMs, pollMs: 200 }, async () => {
    if (stalled()) return 'stalled'
    const committed = await total(registry, 'SELECT coalesce(sum(version), 0)::float8 AS total FROM user_account')
    const totals: number[] = []
    for (const { pool, projection } of consumers) {
      const applied = await total(
        pool,
        `SELECT coalesce(sum(version), 0)::float8 AS total FROM projections."applied_version_${projection}"`,
      )
      totals.push(applied)
    }
    const now = [committed, ...totals].join()
    if (now !== seen) movedAt = Date.now()
    seen = now
    return totals.every((applied) => applied === committed) && 'quiet'
  })
  if (end === 'stalled') throw new ConditionNotMetError(what, Date.now() - startedAt)
  return Date.now() - startedAt
}

async function total(pool: Pool, sql: string): Promise<number> {
  const { rows } = await pool.query<{ total: number }>(sql)
  return rows[0]?.total ?? 0
}
