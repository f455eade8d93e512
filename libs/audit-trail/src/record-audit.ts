import type { Sql } from '@rollcall/database'

/** `done`: the change is committed with this entry. `denied`: the caller may not. `failed`: allowed, but refused by a rule. */
export type AuditOutcome = 'done' | 'denied' | 'failed'

export interface AuditEntry {
  readonly tenantId: string
  readonly actor: Readonly<Record<string, unknown>>
  /** `<noun>.<verb>`, such as `user.suspend`. */
  readonly action: string
  readonly targetType: string
  readonly targetId: string
  /** The target's version after the act, where it has one. */
  readonly targetVersion?: number
  /** Ties together what one request did in all services. */
  readonly correlationId: string
  readonly outcome: AuditOutcome
  /** What the act changed, as it was before and is after it: the whole public document of a new target, later its changed members. */
  readonly before?: unknown
  readonly after?: unknown
}

/**
 * The INSERT for a writer that does everything in one statement. The SELECT yields, in this order: tenant id, actor
 * (json), action, target type, target id (text), target version, correlation id, outcome (audit.outcome), before (json), after (json).
 */
export function recordAuditSql(select: string): string {
  return `INSERT INTO audit.entry (tenant_id, actor, action, target_type, target_id, target_version, correlation_id,
    outcome, before, after) ${select}`
}

/** Records entries in the given order, in one statement. Must run in the transaction of the change it tells of. */
export async function recordAudit(sql: Sql, entries: readonly AuditEntry[]): Promise<void> {
  if (entries.length === 0) return
  await sql.query({
    name: 'audit_record',
    text: recordAuditSql(
      `SELECT tenant_id, actor::json, action, target_type, target_id, target_version, correlation_id, outcome::audit.outcome,
         before::json, after::json
       FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[],
         $9::text[], $10::text[])
         WITH ORDINALITY AS e (tenant_id, actor, action, target_type, target_id, target_version, correlation_id,
           outcome, before, after, position)
       ORDER BY position`,
    ),
    values: [
      entries.map((entry) => entry.tenantId),
      entries.map((entry) => JSON.stringify(entry.actor)),
      entries.map((entry) => entry.action),
      entries.map((entry) => entry.targetType),
      entries.map((entry) => entry.targetId),
      entries.map((entry) => entry.targetVersion ?? null),
      entries.map((entry) => entry.correlationId),
      entries.map((entry) => entry.outcome),
      entries.map((entry) => (entry.before === undefined ? null : JSON.stringify(entry.before))),
      entries.map((entry) => (entry.after === undefined ? null : JSON.stringify(entry.after))),
    ],
  })
}
