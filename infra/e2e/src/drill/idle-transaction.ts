import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from '@rollcall/database'

export interface HeldTransaction {
  end(): Promise<void>
}

/**
 * Opens a transaction that has written, and leaves it idle: what a debugger at a breakpoint, a forgotten psql or a
 * report does to a relay that waits for the oldest transaction.
 */
export async function holdWritingTransaction(pool: Pool): Promise<HeldTransaction> {
  await pool.query('CREATE TABLE IF NOT EXISTS drill_scratch (at timestamptz NOT NULL)')
  const client = await pool.connect()
  await client.query('BEGIN')
  await client.query('INSERT INTO drill_scratch VALUES (now())')
  // Younger transactions must exist for it to be the oldest.
  await sleep(50)
  return {
    async end() {
      await client.query('ROLLBACK')
      client.release()
      await pool.query('DROP TABLE IF EXISTS drill_scratch')
    },
  }
}
