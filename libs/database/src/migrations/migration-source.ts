import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'

/** One owner of tables: a Postgres schema and a folder in Prisma's layout, `<directory>/<timestamp_name>/migration.sql`. */
export interface MigrationSource {
  /** The Postgres schema the tables and the history table `_prisma_migrations` live in. */
  readonly schema: string
  readonly directory: URL
}

export interface Migration {
  readonly name: string
  readonly sql: string
  /** sha256 of the file, hex, as Prisma stores it. */
  readonly checksum: string
}

/** Reads the migrations of a source, in the order of their names. */
export async function readMigrations(source: MigrationSource): Promise<Migration[]> {
  const base = new URL(source.directory.href.replace(/\/?$/, '/'))
  const entries = await readdir(base, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  return Promise.all(
    names.sort().map(async (name) => {
      const file = await readFile(new URL(`${encodeURIComponent(name)}/migration.sql`, base))
      return { name, sql: file.toString('utf8'), checksum: createHash('sha256').update(file).digest('hex') }
    }),
  )
}
