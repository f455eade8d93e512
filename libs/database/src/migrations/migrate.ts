import { randomUUID } from 'node:crypto'
import pg from 'pg'
import type { Pool, PoolClient } from '../sql.js'
import { MigrationChangedError, MigrationFailedError, MigrationUnfinishedError } from './migration-errors.js'
import { type Migration, type MigrationSource, readMigrations } from './migration-source.js'

// The key Prisma's own engine takes, so that `prisma migrate deploy` and a starting service exclude each other.
const MIGRATION_LOCK = 72_707_369

export interface AppliedMigration {
  readonly schema: string
  readonly name: string
}

/**
 * Applies the migrations that are not yet applied, source by source, each in one transaction with its history row
 * in `<schema>._prisma_migrations`. Safe when several processes start at once: one applies, the others wait and
 * find nothing to do. Migrations recorded there but absent here are left alone (an older build beside a newer one).
 *
 * @returns what this call applied.
 * @throws MigrationChangedError an applied migration file was edited.
 * @throws MigrationUnfinishedError the history holds a failed migration of Prisma's engine.
 * @throws MigrationFailedError a migration's SQL was refused; nothing of it is kept.
 */
export async function migrate(pool: Pool, sources: readonly MigrationSource[]): Promise<AppliedMigration[]> {
  const work = await Promise.all(sources.map(async (source) => ({ source, migrations: await readMigrations(source) })))
  const client = await pool.connect()
  let broken: Error | undefined
  try {
    // A start with nothing to do neither waits for nor holds the lock.
    if ((await pending(client, work)).length === 0) return []
    await client.query('SET statement_timeout = 0')
    await client.query('SET idle_in_transaction_session_timeout = 0')
    await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK])
    const applied: AppliedMigration[] = []
    for (const { source, migration } of await pending(client, work)) {
      await apply(client, source.schema, migration)
      applied.push({ schema: source.schema, name: migration.name })
    }
    return applied
  } finally {
    // Ends the lock and the session settings whatever happened: destroying the connection cannot forget one.
    broken = new Error('migration session ended')
    client.release(broken)
  }
}

interface Work {
  readonly source: MigrationSource
  readonly migrations: readonly Migration[]
}

async function pending(client: PoolClient, work: readonly Work[]) {
  const rest: { source: MigrationSource; migration: Migration }[] = []
  for (const { source, migrations } of work) {
    const history = await readHistory(client, source.schema)
    for (const migration of migrations) {
      const entry = history.get(migration.name)
      if (entry === undefined) rest.push({ source, migration })
      else if (!entry.finished) throw new MigrationUnfinishedError(source.schema, migration.name)
      else if (entry.checksum !== migration.checksum) throw new MigrationChangedError(source.schema, migration.name)
    }
  }
  return rest
}

async function readHistory(client: PoolClient, schema: string) {
  const table = historyTable(schema)
  const { rows: found } = await client.query<{ there: boolean }>('SELECT to_regclass($1) IS NOT NULL AS there', [table])
  if (found[0]?.there !== true) return new Map<string, { checksum: string; finished: boolean }>()
  const { rows } = await client.query<{ migration_name: string; checksum: string; finished: boolean }>(
    `SELECT migration_name, checksum, finished_at IS NOT NULL AS finished FROM ${table} WHERE rolled_back_at IS NULL`,
  )
  return new Map(rows.map((row) => [row.migration_name, row]))
}

async function apply(client: PoolClient, schema: string, migration: Migration): Promise<void> {
  await client.query('BEGIN')
  try {
    await client.query(historyTableSql(schema))
    // Unqualified names, as Prisma writes them, land in the source's own schema; extensions live in public.
    await client.query(`SET LOCAL search_path TO ${pg.escapeIdentifier(schema)}, public`)
    await client.query(migration.sql)
    await client.query(
      `INSERT INTO ${historyTable(schema)} (id, checksum, migration_name, finished_at, applied_steps_count)
       VALUES ($1, $2, $3, clock_timestamp(), 1)`,
      [randomUUID(), migration.checksum, migration.name],
    )
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {})
    throw new MigrationFailedError(schema, migration.name, error)
  }
}

function historyTable(schema: string): string {
  return `${pg.escapeIdentifier(schema)}._prisma_migrations`
}

// Prisma's own definition, so that its tools read this history.
function historyTableSql(schema: string): string {
  return `
    CREATE SCHEMA IF NOT EXISTS ${pg.escapeIdentifier(schema)};
    CREATE TABLE IF NOT EXISTS ${historyTable(schema)} (
      id varchar(36) PRIMARY KEY NOT NULL,
      checksum varchar(64) NOT NULL,
      finished_at timestamptz,
      migration_name varchar(255) NOT NULL,
      logs text,
      rolled_back_at timestamptz,
      started_at timestamptz NOT NULL DEFAULT now(),
      applied_steps_count integer NOT NULL DEFAULT 0
    )`
}
