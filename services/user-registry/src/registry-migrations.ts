import { auditMigrations } from '@rollcall/audit-trail'
import type { MigrationSource } from '@rollcall/database'
import { outboxMigrations } from '@rollcall/outbox'

/** Everything the registry's database holds: its own tables and those of the libraries it writes through. */
export const registryMigrations: readonly MigrationSource[] = [
  { schema: 'public', directory: new URL('../../../prisma/user-registry/migrations/', import.meta.url) },
  outboxMigrations,
  auditMigrations,
]
