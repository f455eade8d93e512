import { type Pool, type PoolClient, withTransaction } from '@rollcall/database'
import { RebuildFailedError } from './projection-errors.js'
import { quoted } from './table-rows.js'
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
    await client.query(`CREATE TABLE ${versions} (LIKE ${versionTable(name)}) WITH (fillfactor = 80)`)
  })
  return {
    table: shadow,
    copyVersionsSql: `COPY ${versions} (key, version) FROM STDIN`,
    copySql: (columns) => `COPY ${shadow} (${columns.map(quoted).join(', ')}) FROM STDIN`,
    copyValue: (column, value) =>
      live.jsonColumns.has(column) && value !== null && value !== undefined ? JSON.stringify(value) : value,
    async knownVersions(client, userIds) {
      const { rows } = await client.query<{ key: string; version: string }>(
        `SELECT key::text, version FROM ${versions} WHERE key = ANY ($1::uuid[])`,
        [userIds],
      )
      return new Map(rows.map(({ key, version }) => [key, Number(version)]))
    },
    async recordVersions(client, users) {
      await client.query(
        `INSERT INTO ${versions} (key, version)
         SELECT key, version FROM unnest($1::uuid[], $2::bigint[]) AS seen (key, version)
         ON CONFLICT (key) DO UPDATE SET version = excluded.version`,
        [[...users.keys()], [...users.values()].map(({ version }) => version)],
      )
    },
    async finish(of) {
      await withTransaction(of, async (client) => {
        await client.query(`SET LOCAL maintenance_work_mem = '256MB'`)
        for (const { definition } of live.indexes) await client.query(inSchema(definition, live, shadow))
        for (const { constraint, definition } of live.constraints) {
          await client.query(`ALTER TABLE ${shadow} ADD CONSTRAINT ${quoted(constraint)} ${definition}`)
        }
        await client.query(`ALTER TABLE ${versions} ADD PRIMARY KEY (key)`)
      })
      await of.query(`ANALYZE ${shadow}, ${versions}`)
    },
    async swap(client) {
      for (const grant of live.grants) await client.query(`${grant.head} ON ${shadow} TO ${grant.tail}`)
      await client.query(`DROP TABLE ${table.name}`)
      await client.query(`ALTER TABLE ${shadow} SET SCHEMA ${quoted(live.schema)}`)
      await client.query(`DROP TABLE ${versionTable(name)}`)
      await client.query(`ALTER TABLE ${versions} SET SCHEMA projections`)
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
  readonly grants: readonly { readonly head: string; readonly tail: string }[]
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
  await refuseDependents(pool, name, table.name)
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
  const grants = await pool.query<{ head: string; tail: string }>(
    `SELECT 'GRANT ' || a.privilege_type AS head,
       CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END
         || CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS tail
     FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = to_regclass($1) AND a.grantee <> c.relowner`,
    [table.name],
  )
  return {
    schema: live.schema,
    relation: live.relation,
    options: live.options,
    jsonColumns: new Set(live.json_columns),
    indexes: indexes.rows,
    constraints: constraints.rows,
    grants: grants.rows,
  }
}

/** What would be lost with the old table, or would keep it alive, is said before an hour of work and not after it. */
async function refuseDependents(pool: Pool, name: string, table: string): Promise<void> {
  const { rows } = await pool.query<{ dependent: string }>(
    `SELECT 'view ' || r.ev_class::regclass AS dependent FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
       WHERE d.classid = 'pg_rewrite'::regclass AND d.refobjid = to_regclass($1) AND r.ev_class <> to_regclass($1)
     UNION SELECT 'foreign key ' || conname FROM pg_constraint WHERE contype = 'f' AND confrelid = to_regclass($1)
     UNION SELECT 'trigger ' || tgname FROM pg_trigger WHERE tgrelid = to_regclass($1) AND NOT tgisinternal
     UNION SELECT 'policy ' || polname FROM pg_policy WHERE polrelid = to_regclass($1)
     ORDER BY 1`,
    [table],
  )
  if (rows.length === 0) return
  const dependents = rows.map(({ dependent }) => dependent)
  const problem = `${table} cannot be swapped for a new table while these hang on it: ${dependents.join(', ')}; remove them, or use the onBatch form`
  throw new RebuildFailedError(name, problem, { dependents })
}

// pg_get_indexdef writes `CREATE INDEX name ON schema.table USING …`; the name belongs to the schema of the table.
function inSchema(definition: string, { schema, relation }: LiveTable, shadow: string): string {
  const bare = (identifier: string) => (/^[a-z_][a-z0-9_]*$/.test(identifier) ? identifier : quoted(identifier))
  return definition.replace(` ON ${bare(schema)}.${bare(relation)} `, ` ON ${shadow} `)
}
