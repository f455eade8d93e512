export { auditMigrations } from './audit-migrations.js'
export { type AuditEntry, type AuditOutcome, recordAudit, recordAuditSql } from './record-audit.js'
