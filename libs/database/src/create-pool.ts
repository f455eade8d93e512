import type { Logger } from '@rollcall/observability'
import pg from 'pg'
import { numberTypes } from './number-types.js'
import type { Pool, PoolClient } from './sql.js'

export interface PoolOptions {
  /** `postgresql://user@host:port/database` */
  readonly url: string
  /** Most connections at once. @default 10 */
  readonly max?: number
  /** Shown in `pg_stat_activity`: who holds this lock, which process leaks. */
  readonly applicationName: string
  /** Longest a statement may run, in the server. @default no limit */
  readonly statementTimeoutMs?: number
  /** Longest a transaction may sit without a statement before the server ends it. @default 60000 */
  readonly idleInTransactionTimeoutMs?: number
  /** Longest wait for a new connection, and for a free one of this pool. @default 10000 */
  readonly connectTimeoutMs?: number
}

/**
 * Creates a connection pool that survives the loss of its connections: the error of an idle connection is logged,
 * not thrown at the process. `int8` is read as a number (throws beyond 2^53).
 */
export function createPool(options: PoolOptions, { logger }: { readonly logger: Logger }): Pool {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.max ?? 10,
    application_name: options.applicationName,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 10_000,
    idle_in_transaction_session_timeout: options.idleInTransactionTimeoutMs ?? 60_000,
    ...(options.statementTimeoutMs === undefined ? {} : { statement_timeout: options.statementTimeoutMs }),
    // A peer that vanished without a FIN (power loss, dropped NAT entry) is otherwise noticed only by the next query.
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: numberTypes,
  })
  // Without a listener the first killed idle connection ends the process (measured on two rivals: peer-relays-lab 6).
  pool.on('error', (error) => {
    logger.warn({ applicationName: options.applicationName, error }, 'idle database connection lost')
  })
  // The pool listens to idle connections only: one lost between two statements of a transaction would end the process.
  pool.on('connect', ignoreClientErrors)
  return pool
}

/** The statement that runs or comes next reports the loss; the event has nothing to add. */
export function ignoreClientErrors(client: PoolClient): void {
  client.on('error', () => {})
}
