import type { Sql } from '@rollcall/database'
import type { RollcallError } from '@rollcall/errors'
import { IdempotencyKeyReusedError, ReplayedRefusalError } from './idempotency-errors.js'

/** An Idempotency-Key with the request it stands for. */
export interface IdempotentRequest {
  readonly tenantId: string
  /** Keys of two principals never meet. */
  readonly principal: string
  readonly key: string
  readonly requestHash: Buffer
}

/** The success given to the first request: its status and its body. */
export interface StoredAnswer {
  readonly status: number
  readonly body: string
}

/**
 * Finds the answer that was given under the key.
 *
 * @throws IdempotencyKeyReusedError the key stands for another request.
 * @throws ReplayedRefusalError the answer was a refusal.
 */
export async function findAnswer(sql: Sql, request: IdempotentRequest): Promise<StoredAnswer | undefined> {
  const { rows } = await sql.query<{ request_hash: Buffer; status: number | null; body: string }>({
    name: 'registry_find_answer',
    text: `SELECT request_hash, status, body FROM idempotency_key WHERE tenant_id = $1 AND principal = $2 AND key = $3`,
    values: [request.tenantId, request.principal, request.key],
  })
  const row = rows[0]
  if (row === undefined) return undefined
  if (!row.request_hash.equals(request.requestHash)) throw new IdempotencyKeyReusedError()
  if (row.status === null) throw new ReplayedRefusalError(JSON.parse(row.body))
  return { status: row.status, body: row.body }
}

/**
 * Keeps a refusal, or a success that wrote nothing else.
 *
 * @returns false when a twin of the request was first: its answer stands, and is the one to give.
 */
export async function keepAnswer(
  sql: Sql,
  request: IdempotentRequest,
  answer: StoredAnswer | RollcallError,
): Promise<boolean> {
  const [status, body] =
    'status' in answer
      ? [answer.status, answer.body]
      : [null, JSON.stringify({ code: answer.code, message: answer.message, facts: answer.facts })]
  const { rowCount } = await sql.query({
    name: 'registry_keep_answer',
    text: `INSERT INTO idempotency_key (tenant_id, principal, key, request_hash, status, body, created_at)
           VALUES ($1, $2, $3, $4, $5, $6, now()) ON CONFLICT DO NOTHING`,
    values: [request.tenantId, request.principal, request.key, request.requestHash, status, body],
  })
  return rowCount === 1
}
