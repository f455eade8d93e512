import { recordAuditSql } from '@rollcall/audit-trail'
import type { Sql } from '@rollcall/database'
import { userLifecycle } from '@rollcall/events'
import { appendOutboxSql } from '@rollcall/outbox'
import type { Decision } from './decide.js'
import { emailKey } from './email-address.js'
import { foldCase } from './fold-case.js'
import type { UserState } from './user.js'
import { auditAction, changedMembers } from './user-audit.js'

/** One decided change with everything that is kept of it. */
export interface UserWrite {
  readonly decision: Decision
  /** The state the decision was made on; undefined when the user is new. */
  readonly before: UserState | undefined
  /** The event as it will stand on the topic; see `encodeUserRecord`. */
  readonly record: Buffer
  /** The public document after the change, as JSON: the audit row's at a creation, and the idempotent answer's. */
  readonly document: string
  /** Kept under the caller's Idempotency-Key, when there is one. */
  readonly answer?: {
    readonly principal: string
    readonly key: string
    readonly requestHash: Buffer
    readonly status: number
  }
}

/**
 * Writes user, addresses, outbox row, audit row and idempotent answer in one statement, hence in one transaction and
 * one round trip: five statements between BEGIN and COMMIT reach half the rate (relay-lab 1). The outbox row of a change
 * is drawn from the returned user row, so its id is drawn under that row's lock.
 *
 * @returns false when the user is no longer at the version the decision was made on; nothing is written then.
 * @throws a unique violation of `user_account_user_name_unique`, `user_email_unique` or `idempotency_key_unique`.
 */
export async function writeUser(sql: Sql, write: UserWrite): Promise<boolean> {
  const { decision, before, record, document, answer } = write
  const { event, next } = decision
  const { user } = next
  const emails = emailDifference(before, next)
  const audit =
    before === undefined ? { before: null, after: document } : changedMembers(before.user, user, event.changed)
  const shape: Shape = {
    creates: before === undefined,
    movesEmails: emails !== undefined,
    answers: answer !== undefined,
  }
  const { rowCount } = await sql.query({
    ...statement(shape),
    values: [
      user.id,
      user.tenantId,
      user.userName,
      foldCase(user.userName),
      JSON.stringify(user.emails),
      user.name === null ? null : JSON.stringify(user.name),
      user.phone,
      user.locale,
      user.timezone,
      JSON.stringify(user.attributes),
      user.status,
      next.statusBeforeDeletion,
      user.version,
      user.createdAt.toISOString(),
      user.updatedAt.toISOString(),
      user.deletedAt?.toISOString() ?? null,
      user.purgeAt?.toISOString() ?? null,
      record,
      JSON.stringify(event.actor),
      auditAction(event.type),
      event.correlationId,
      audit.before,
      audit.after,
      ...(emails === undefined ? [] : before === undefined ? [emails.added] : [emails.added, emails.removed]),
      ...(answer === undefined ? [] : [answer.principal, answer.key, answer.requestHash, answer.status, document]),
    ],
  })
  return rowCount === 1
}

interface Shape {
  readonly creates: boolean
  readonly movesEmails: boolean
  readonly answers: boolean
}

const statements = new Map<string, { name: string; text: string }>()

function statement(shape: Shape): { name: string; text: string } {
  const name = `registry_${shape.creates ? 'create' : 'change'}_user${shape.movesEmails ? '_emails' : ''}${shape.answers ? '_answer' : ''}`
  let known = statements.get(name)
  if (known === undefined) {
    known = { name, text: statementText(shape) }
    statements.set(name, known)
  }
  return known
}

function statementText({ creates, movesEmails, answers }: Shape): string {
  const answerAt = 24 + (movesEmails ? (creates ? 1 : 2) : 0)
  // A creation succeeds whole or throws: the other rows need not wait for the user's to come back.
  const user = creates
    ? { id: '$1::uuid', tenantId: '$2::text', version: '$13::bigint', from: '' }
    : { id: 'changed.id', tenantId: 'changed.tenant_id', version: 'changed.version', from: 'FROM changed' }
  const parts = [
    `changed AS (${creates ? INSERT_USER : UPDATE_USER})`,
    ...(movesEmails
      ? [
          `gained AS (INSERT INTO user_email (tenant_id, email_key, user_id)
             SELECT ${user.tenantId}, one.key, ${user.id} FROM ${creates ? '' : 'changed, '}unnest($24::text[]) AS one (key))`,
          ...(creates
            ? []
            : [
                `lost AS (DELETE FROM user_email USING changed WHERE user_email.tenant_id = $2
                   AND user_email.email_key = ANY ($25::text[]) AND user_email.user_id = changed.id)`,
              ]),
        ]
      : []),
    `message AS (${appendOutboxSql(`SELECT ${user.id}, ${user.version}, '${userLifecycle.name}', $18::bytea ${user.from}`)})`,
    ...(answers
      ? [
          `answer AS (INSERT INTO idempotency_key (tenant_id, principal, key, request_hash, status, body, created_at)
             SELECT ${user.tenantId}, $${answerAt}, $${answerAt + 1}, $${answerAt + 2}, $${answerAt + 3}, $${answerAt + 4}, now() ${user.from})`,
        ]
      : []),
  ]
  // Postgres runs the parts that nobody reads from last to first. The user comes first, so that of a name and an address
  // that are both taken the name is told, and so that creations and changes lock in one order.
  if (creates) parts.reverse()
  // The last one is no part of the WITH: its count says whether anything was written, and no row need come back.
  return `WITH ${parts.join(',\n')}\n${recordAuditSql(
    `SELECT ${user.tenantId}, $19::json, $20::text, 'user', ${user.id}::text, ${user.version}, $21::text, 'done', $22::json, $23::json ${user.from}`,
  )}`
}

const INSERT_USER = `INSERT INTO user_account (id, tenant_id, user_name, user_name_key, emails, name, phone, locale, timezone,
  attributes, status, status_before_deletion, version, created_at, updated_at, deleted_at, purge_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`

const UPDATE_USER = `UPDATE user_account SET user_name = $3, user_name_key = $4, emails = $5, name = $6, phone = $7,
  locale = $8, timezone = $9, attributes = $10, status = $11, status_before_deletion = $12, version = $13,
  created_at = $14, updated_at = $15, deleted_at = $16, purge_at = $17
  WHERE id = $1 AND tenant_id = $2 AND version = $13::bigint - 1 RETURNING id, tenant_id, version`

/**
 * What to insert into and delete from user_email; undefined when no address comes or goes. Sorted, so that two writers
 * of the same addresses wait for each other instead of dying in a deadlock.
 */
function emailDifference(before: UserState | undefined, next: UserState) {
  if (before !== undefined && before.user.emails === next.user.emails) return undefined
  const old = new Set(before?.user.emails.map(({ value }) => emailKey(value)))
  const now = new Set(next.user.emails.map(({ value }) => emailKey(value)))
  const added = [...now].filter((key) => !old.has(key)).sort()
  const removed = [...old].filter((key) => !now.has(key))
  return added.length === 0 && removed.length === 0 ? undefined : { added, removed }
}
