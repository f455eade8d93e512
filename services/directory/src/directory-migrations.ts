import type { MigrationSource } from '@rollcall/database'
import { projectionMigrations } from '@rollcall/projections'

/** Everything the directory's database holds. */
export const directoryMigrations: readonly MigrationSource[] = [
  { schema: 'public', directory: new URL('../../../prisma/directory/migrations/', import.meta.url) },
  projectionMigrations,
]
