import pg from 'pg'

/**
 * A database session that says: this relay is alive. It holds an advisory lock named after the relay, and Postgres drops
 * the lock the moment the process is gone, so that nobody has to wait for its lease to run out. The lock is only a hint
 * for speed; safety is the epoch.
 */
export interface Presence {
  /** Aborts when the session is lost. */
  readonly lost: AbortSignal
  close(): Promise<void>
}

/** True for standbys while the session of the relay named by the SQL expression lives. */
export const presentSql = (owner: string) => `EXISTS (
  SELECT FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (classid::bigint << 32) | objid::bigint = hashtextextended(${owner}, ${PRESENCE}))`

const PRESENCE = 72_707_372

/** Opens the session of one relay; rejects when the database does not answer. */
export async function openPresence(url: string, instance: string, applicationName: string): Promise<Presence> {
  const client = new pg.Client({
    connectionString: url,
    application_name: applicationName,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
  })
  const lost = new AbortController()
  client.on('error', (error) => lost.abort(error))
  client.on('end', () => lost.abort(new Error('the presence session ended')))
  await client.connect()
  await client.query('SET idle_session_timeout = 0; SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2')
  // Shared: two names with one hash get in nobody's way, one of them is then replaced after its lease.
  await client.query(`SELECT pg_advisory_lock_shared(hashtextextended($1, ${PRESENCE}))`, [instance])
  return {
    lost: lost.signal,
    async close() {
      await client.end().catch(() => {})
    },
  }
}
