import { ensureDatabase, migrate, type Pool } from '@rollcall/database'
import { registryMigrations } from './registry-migrations.js'

/** Creates the registry's database when it is missing, and brings it up to date. Safe in parallel: both processes do it at start. */
export async function prepareDatabase(url: string, pool: Pool): Promise<void> {
  await ensureDatabase(url)
  await migrate(pool, registryMigrations)
}
