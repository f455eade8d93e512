import type { MigrationSource } from '@rollcall/database'

/** The tables of the outbox, in the schema `outbox` of the database whose changes are published. */
export const outboxMigrations: MigrationSource = {
  schema: 'outbox',
  directory: new URL('../migrations/', import.meta.url),
}
