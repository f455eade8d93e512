import { RollcallError } from '@rollcall/errors'
import type { Pool, PoolClient } from './sql.js'

export interface TransactionOptions {
  /** @default 'read committed' */
  readonly isolation?: 'read committed' | 'repeatable read' | 'serializable'
}

/**
 * Runs `work` in one transaction on one connection: commits when it resolves, rolls back when it rejects. A
 * connection that cannot be rolled back is destroyed, never handed to the next caller.
 *
 * @throws RollcallError `ERR_TRANSACTION_ABORTED` when `work` swallowed a failed statement: Postgres answers such
 * a COMMIT with a silent ROLLBACK, and the caller would believe its writes are kept.
 */
export async function withTransaction<T>(
  pool: Pool,
  work: (client: PoolClient) => Promise<T>,
  { isolation }: TransactionOptions = {},
): Promise<T> {
  const client = await pool.connect()
  let broken: Error | undefined
  try {
    await client.query(isolation === undefined ? 'BEGIN' : `BEGIN ISOLATION LEVEL ${isolation}`)
    const result = await work(client)
    const { command } = await client.query('COMMIT')
    if (command !== 'COMMIT') throw new TransactionAbortedError()
    return result
  } catch (error) {
    broken = await rollback(client)
    throw error
  } finally {
    client.release(broken)
  }
}

/** A statement inside the transaction failed and its error was swallowed, so nothing was committed. */
export class TransactionAbortedError extends RollcallError {
  constructor() {
    super({
      code: 'ERR_TRANSACTION_ABORTED',
      message:
        'Nothing was committed: a statement of this transaction failed and its error was swallowed; let it reject.',
    })
  }
}

async function rollback(client: PoolClient): Promise<Error | undefined> {
  try {
    await client.query('ROLLBACK')
    return undefined
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}
