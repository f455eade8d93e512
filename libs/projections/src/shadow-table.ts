import { type Pool, type PoolClient, withTransaction } from '@rollcall/database'
import { RebuildFailedError } from './projection-errors.js'
import { quoted } from './table-writer.js'
import { versionTable, versionTableName } from './version-table.js'

/** A read model's table and its user versions, being built beside the live ones. */
export interface Shadow {
  /** Qualified and quoted. */
  readonly table: string
  readonly copyVersionsSql: string
  copySql(columns: readonly string[]): string
  /** A value as `copyIn` must be given it for its column. */
  copyValue(column: string, value: unknown): unknown
  knownVersions(client: PoolClient, userIds: readonly string[]): Promise<Map<string, number>>
  recordVersions(client: PoolClient, users: ReadonlyMap<string, { readonly version: number }>): Promise<void>
  /** Builds the indexes and constraints the live table has, and gathers statistics. */
  finish(pool: Pool): Promise<void>
  /** Puts both tables in the place of the live ones. Must run in a transaction. */
  swap(client: PoolClient): Promise<void>
}

interface ShadowOf {
  readonly name: string
  readonly table: { readonly name: string; readonly key: string }
}

/** A schema of its own, so that table and indexes have their final names from the start. */
const shadowSchema = (name: string) => quoted(`rollcall_rebuild_${name}`)

/** Makes empty tables shaped like the live ones, without indexes: those are built once, after the load. */
export async function openShadow(pool: Pool, projection: ShadowOf): Promise<Shadow> {
  const { name, table } = projection
  const live = await describe(pool, projection)
  const schema = shadowSchema(name)
  const shadow = `${schema}.${quoted(live.relation)}`
  const versions = `${schema}.${quoted(versionTableName(name))}`
  await withTransaction(pool, async (client) => {
    await client.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`)
    await client.query(`CREATE SCHEMA ${schema}`)
    await client.query(`CREATE TABLE ${shadow} (LIKE ${table.name} INCLUDING ALL EXCLUDING INDEXES)`)
    if (live.options !== null) await client.query(`ALTER TABLE ${shadow} SET (${live.options})`)
    await client.query(
      `CREATE TABLE ${versions} (LIKE ${versionTable(name)} INCLUDING DEFAULTS INCLUDING CONSTRAINTS) WITH (fillfactor = 80)`,
    )
    await client.query(`ALTER TABLE ${versions} ALTER COLUMN projection SET DEFAULT '${name}'`)
  })
  return {
    table: shadow,
    copyVersionsSql: `COPY ${versions} (key, version) FROM STDIN`,
    copySql: (columns) => `COPY ${shadow} (${columns.map(quoted).join(', ')}) FROM STDIN`,
    copyValue: (column, value) =>
      live.jsonColumns.has(column) && value !== null && value !== undefined ? JSON.stringify(value) : value,
    async knownVersions(client, userIds) {
      const { rows } = await client.query<{ key: string; version: string }>(
        `SELECT key::text, version FROM ${versions} WHERE projection = $1 AND key = ANY ($2::uuid[])`,
        [name, userIds],
      )
      return new Map(rows.map(({ key, version }) => [key, Number(version)]))
    },
    async recordVersions(client, users) {
      await client.query(
        `INSERT INTO ${versions} (projection, key, version)
         SELECT $1::text, key, version FROM unnest($2::uuid[], $3::bigint[]) AS seen (key, version)
         ON CONFLICT (projection, key) DO UPDATE SET version = excluded.version`,
        [name, [...users.keys()], [...users.values()].map(({ version }) => version)],
      )
    },
    async finish(of) {
      await withTransaction(of, async (client) => {
        await client.query(`SET LOCAL maintenance_work_mem = '256MB'`)
        for (const { definition } of live.indexes) await client.query(inSchema(definition, live, shadow))
        for (const { constraint, definition } of live.constraints) {
          await client.query(`ALTER TABLE ${shadow} ADD CONSTRAINT ${quoted(constraint)} ${definition}`)
        }
        await client.query(`ALTER TABLE ${versions} ADD PRIMARY KEY (projection, key)`)
        await client.query(`ALTER TABLE ${versions} ADD CHECK (projection = '${name}')`)
      })
      await of.query(`ANALYZE ${shadow}`)
    },
    async swap(client) {
      await client.query(`DROP TABLE ${table.name}`)
      await client.query(`ALTER TABLE ${shadow} SET SCHEMA ${quoted(live.schema)}`)
      await client.query(`ALTER TABLE projections.applied_version DETACH PARTITION ${versionTable(name)}`)
      await client.query(`DROP TABLE ${versionTable(name)}`)
      await client.query(`ALTER TABLE ${versions} SET SCHEMA projections`)
      await client.query(
        `ALTER TABLE projections.applied_version ATTACH PARTITION ${versionTable(name)} FOR VALUES IN ('${name}')`,
      )
      await client.query(`DROP SCHEMA ${schema}`)
    },
  }
}

export async function dropShadow(pool: Pool, { name }: ShadowOf): Promise<void> {
  await pool.query(`DROP SCHEMA IF EXISTS ${shadowSchema(name)} CASCADE`)
}

interface LiveTable {
  readonly schema: string
  readonly relation: string
  readonly options: string | null
  readonly jsonColumns: ReadonlySet<string>
  readonly indexes: readonly { readonly definition: string }[]
  readonly constraints: readonly { readonly constraint: string; readonly definition: string }[]
}

async function describe(pool: Pool, { name, table }: ShadowOf): Promise<LiveTable> {
  const { rows } = await pool.query<{
    schema: string
    relation: string
    options: string | null
    json_columns: string[]
  }>(
    `SELECT n.nspname AS schema, c.relname AS relation, array_to_string(c.reloptions, ', ') AS options,
       ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
         AND a.atttypid IN ('json'::regtype, 'jsonb'::regtype)) AS json_columns
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)`,
    [table.name],
  )
  const live = rows[0]
  if (live === undefined) throw new RebuildFailedError(name, `its table ${table.name} does not exist`)
  const indexes = await pool.query<{ definition: string }>(
    `SELECT pg_get_indexdef(i.indexrelid) AS definition FROM pg_index i
     WHERE i.indrelid = to_regclass($1) AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)`,
    [table.name],
  )
  // Checks come with LIKE; keys, and what else has an index of its own, come here.
  const constraints = await pool.query<{ constraint: string; definition: string }>(
    `SELECT conname AS constraint, pg_get_constraintdef(oid) AS definition FROM pg_constraint
     WHERE conrelid = to_regclass($1) AND contype IN ('p', 'u', 'x', 'f')`,
    [table.name],
  )
  return {
    schema: live.schema,
    relation: live.relation,
    options: live.options,
    jsonColumns: new Set(live.json_columns),
    indexes: indexes.rows,
    constraints: constraints.rows,
  }
}

// pg_get_indexdef writes `CREATE INDEX name ON schema.table USING …`; the name belongs to the schema of the table.
function inSchema(definition: string, { schema, relation }: LiveTable, shadow: string): string {
  const bare = (identifier: string) => (/^[a-z_][a-z0-9_]*$/.test(identifier) ? identifier : quoted(identifier))
  return definition.replace(` ON ${bare(schema)}.${bare(relation)} `, ` ON ${shadow} `)
}
