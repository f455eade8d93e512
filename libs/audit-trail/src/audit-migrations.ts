import type { MigrationSource } from '@rollcall/database'

/** The tables of the audit trail, in the schema `audit` of the database whose changes are recorded. */
export const auditMigrations: MigrationSource = {
  schema: 'audit',
  directory: new URL('../migrations/', import.meta.url),
}
