import type { Pool } from '@rollcall/database'
import { RebuildRunningError } from '../projection-errors.js'

/**
 * Takes the right to change a projection's sides, for one process at a time; the answer gives it back. It is a session's
 * lock: gone with the process, however it ends. @throws RebuildRunningError
 */
export async function rebuildLock(pool: Pool, projection: string): Promise<() => Promise<void>> {
  const key = `rollcall.projections.rebuild.${projection}`
  const client = await pool.connect()
  try {
    const { rows } = await client.query<{ mine: boolean }>(
      'SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS mine',
      [key],
    )
    if (rows[0]?.mine !== true) throw new RebuildRunningError(projection)
  } catch (error) {
    client.release(!(error instanceof RebuildRunningError))
    throw error
  }
  return async () => {
    const broken = await client.query('SELECT pg_advisory_unlock(hashtextextended($1, 0))', [key]).then(
      () => undefined,
      (error: Error) => error,
    )
    client.release(broken)
  }
}
