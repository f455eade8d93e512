import { RollcallError } from '@rollcall/errors'

/** A migration that is applied already was edited afterwards. */
export class MigrationChangedError extends RollcallError {
  constructor(schema: string, name: string) {
    super({
      code: 'ERR_MIGRATION_CHANGED',
      message: `Migration ${name} of schema ${schema} was edited after it was applied; restore the file and write a new migration instead.`,
      facts: { schema, migration: name },
    })
  }
}

/** A migration's SQL was refused; its transaction was rolled back. */
export class MigrationFailedError extends RollcallError {
  constructor(schema: string, name: string, cause: unknown) {
    super({
      code: 'ERR_MIGRATION_FAILED',
      message: `Migration ${name} of schema ${schema} failed (${cause instanceof Error ? cause.message : String(cause)}); nothing of it was kept.`,
      facts: { schema, migration: name },
      cause,
    })
  }
}

/** The history says that a migration started and neither finished nor was rolled back. */
export class MigrationUnfinishedError extends RollcallError {
  constructor(schema: string, name: string) {
    super({
      code: 'ERR_MIGRATION_UNFINISHED',
      message: `Migration ${name} of schema ${schema} is recorded as started but not finished; repair the schema, then set finished_at or rolled_back_at in ${schema}._prisma_migrations.`,
      facts: { schema, migration: name },
    })
  }
}
