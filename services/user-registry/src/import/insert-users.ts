import { recordAuditSql } from '@rollcall/audit-trail'
import type { Sql } from '@rollcall/database'
import { userLifecycle } from '@rollcall/events'
import { appendOutboxSql } from '@rollcall/outbox'
import { auditAction } from '../users/user-audit.js'
import type { ImportCandidate } from './import-candidate.js'

/**
 * Writes many new users with addresses, outbox and audit rows in one statement, in the order given; all or none.
 *
 * @throws a unique violation when one of the names, addresses or ids is taken.
 */
export async function insertUsers(sql: Sql, tenantId: string, candidates: readonly ImportCandidate[]): Promise<void> {
  const first = candidates[0]
  if (first === undefined) return
  const { event } = first.decision
  const users = candidates.map(({ decision }) => decision.next.user)
  // Sorted, so that two imports with the same addresses wait for each other rather than deadlock.
  const emails = candidates
    .flatMap(({ decision, emailKeys }) => emailKeys.map((key) => ({ key, userId: decision.next.user.id })))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
  await sql.query({
    name: 'registry_insert_users',
    text: STATEMENT,
    values: [
      tenantId,
      JSON.stringify(event.actor),
      event.correlationId,
      users.map(({ id }) => id),
      users.map(({ userName }) => userName),
      candidates.map(({ nameKey }) => nameKey),
      users.map((user) => JSON.stringify(user.emails)),
      users.map(({ name }) => (name === null ? null : JSON.stringify(name))),
      users.map(({ phone }) => phone),
      users.map(({ locale }) => locale),
      users.map(({ timezone }) => timezone),
      users.map(({ attributes }) => JSON.stringify(attributes)),
      users.map(({ createdAt }) => createdAt.toISOString()),
      candidates.map(({ record }) => record),
      candidates.map(({ after }) => after),
      candidates.map(({ contentHash }) => contentHash),
      emails.map(({ key }) => key),
      emails.map(({ userId }) => userId),
    ],
  })
}

const STATEMENT = `
WITH line AS MATERIALIZED (
  SELECT * FROM unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],
    $12::text[], $13::timestamptz[], $14::bytea[], $15::text[], $16::bytea[])
    WITH ORDINALITY AS given (id, user_name, user_name_key, emails, name, phone, locale, timezone, attributes, created_at,
      record, after, import_hash, position)
), created AS (
  INSERT INTO user_account (id, tenant_id, user_name, user_name_key, emails, name, phone, locale, timezone, attributes,
    status, version, created_at, updated_at, import_hash)
  SELECT id, $1::text, user_name, user_name_key, emails::jsonb, name::jsonb, phone, locale, timezone, attributes::jsonb,
    'active', 1, created_at, created_at, import_hash
  FROM line ORDER BY position
  RETURNING id
), gained AS (
  INSERT INTO user_email (tenant_id, email_key, user_id)
  SELECT $1::text, key, user_id FROM unnest($17::text[], $18::uuid[]) AS given (key, user_id)
), message AS (
  ${appendOutboxSql(`SELECT line.id, 1, '${userLifecycle.name}', line.record FROM line JOIN created USING (id) ORDER BY line.position`)}
), entry AS (
  ${recordAuditSql(
    `SELECT $1::text, $2::json, '${auditAction('UserCreated')}', 'user', line.id::text, 1, $3::text, 'done', NULL::json, line.after::json
     FROM line JOIN created USING (id) ORDER BY line.position`,
  )}
)
SELECT count(*) FROM created`
