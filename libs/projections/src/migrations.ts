import type { MigrationSource } from '@rollcall/database'

/** The library's tables, in the Postgres schema `projections`; apply them with `migrate` before running projections. */
export const projectionMigrations: MigrationSource = {
  schema: 'projections',
  directory: new URL('../migrations/', import.meta.url),
}
