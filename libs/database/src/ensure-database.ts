import pg from 'pg'
import { isTransientDatabaseError } from './classify.js'
import { DatabaseUnreachableError } from './database-unreachable-error.js'

/**
 * Creates the database the URL names unless it exists; safe when several processes do it at once. Connects to the
 * `postgres` database of the same server for that.
 *
 * @throws DatabaseUnreachableError (retryable) when the server does not answer.
 */
export async function ensureDatabase(url: string): Promise<void> {
  const name = decodeURIComponent(new URL(url).pathname.slice(1))
  const maintenance = new URL(url)
  maintenance.pathname = '/postgres'
  const client = new pg.Client({ connectionString: maintenance.href, connectionTimeoutMillis: 10_000 })
  // A connection lost between two statements is reported by the next statement.
  client.on('error', () => {})
  try {
    await client.connect()
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name])
    if (rowCount === 0) await client.query(`CREATE DATABASE ${pg.escapeIdentifier(name)}`).catch(ignoreExisting)
  } catch (error) {
    throw isTransientDatabaseError(error) ? new DatabaseUnreachableError(url, error) : error
  } finally {
    await client.end().catch(() => {})
  }
}

// 42P04 duplicate_database; 23505 when two CREATE DATABASE meet in pg_database's unique index.
function ignoreExisting(error: unknown): void {
  const { code } = error as { code?: string }
  if (code !== '42P04' && code !== '23505') throw error
}
