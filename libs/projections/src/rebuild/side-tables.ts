import { type Pool, type PoolClient, withTransaction } from '@rollcall/database'
import { RebuildFailedError } from '../projection-errors.js'
import { quoted } from '../store/table-rows.js'
import { versionTable } from '../store/version-table.js'
import type { SideTable } from './sides.js'

/** A table of a read model as it stands in the catalog. */
export interface LiveTable extends SideTable {
  readonly options: string | null
  readonly jsonColumns: ReadonlySet<string>
  readonly indexes: readonly { readonly name: string; readonly definition: string }[]
  readonly constraints: readonly { readonly name: string; readonly definition: string }[]
  readonly grants: readonly { readonly head: string; readonly tail: string }[]
  /** With indexes, as of now. */
  readonly bytes: number
  /** As of the last ANALYZE. */
  readonly rows: number
}

/** Qualified and quoted. */
export const tableOf = ({ schema, name }: SideTable) => `${quoted(schema)}.${quoted(name)}`

/**
 * Makes empty tables shaped like the live ones in the schema, with the grants those have but without indexes: they are
 * built once, after the load. @param client in the transaction that makes the side known
 */
export async function createSideTables(
  client: PoolClient,
  schema: string,
  tables: readonly LiveTable[],
  side: string,
): Promise<void> {
  await client.query(`CREATE SCHEMA ${quoted(schema)}`)
  for (const table of tables) {
    const mine = tableOf({ schema, name: table.name })
    await client.query(`CREATE TABLE ${mine} (LIKE ${tableOf(table)} INCLUDING ALL EXCLUDING INDEXES)`)
    if (table.options !== null) await client.query(`ALTER TABLE ${mine} SET (${table.options})`)
    for (const grant of table.grants) await client.query(`${grant.head} ON ${mine} TO ${grant.tail}`)
  }
  await client.query(
    `CREATE TABLE ${versionTable(side)} (key uuid NOT NULL, version bigint NOT NULL) WITH (fillfactor = 80)`,
  )
}

/** Builds the indexes and constraints the live tables have, and gathers statistics. What is there already stays. */
export async function indexSideTables(
  pool: Pool,
  schema: string,
  tables: readonly LiveTable[],
  side: string,
): Promise<void> {
  const exists = async (sql: string, values: unknown[]) => ((await pool.query(sql, values)).rowCount ?? 0) > 0
  for (const table of tables) {
    const mine = tableOf({ schema, name: table.name })
    for (const { name, definition } of table.indexes) {
      const text = 'SELECT 1 FROM pg_indexes WHERE schemaname = $1 AND tablename = $2 AND indexname = $3'
      if (!(await exists(text, [schema, table.name, name]))) await build(pool, inSchema(definition, table, mine))
    }
    for (const { name, definition } of table.constraints) {
      const text = 'SELECT 1 FROM pg_constraint WHERE conrelid = to_regclass($1) AND conname = $2'
      if (await exists(text, [mine, name])) continue
      await build(pool, `ALTER TABLE ${mine} ADD CONSTRAINT ${quoted(name)} ${definition}`)
    }
    await pool.query(`ANALYZE ${mine}`)
  }
  const keyed = "SELECT 1 FROM pg_constraint WHERE conrelid = to_regclass($1) AND contype = 'p'"
  if (!(await exists(keyed, [versionTable(side)]))) {
    await build(pool, `ALTER TABLE ${versionTable(side)} ADD PRIMARY KEY (key)`)
  }
  await pool.query(`ANALYZE ${versionTable(side)}`)
}

const build = (pool: Pool, statement: string) =>
  withTransaction(pool, async (client) => {
    await client.query(`SET LOCAL maintenance_work_mem = '256MB'`)
    // One worker: a rebuild must leave the other cores to those who live here.
    await client.query('SET LOCAL max_parallel_maintenance_workers = 0')
    await client.query(statement)
  })

/**
 * Forgets a side that is not live: its tables, versions, checkpoints and parked users, all at once. Runners that follow it
 * are waited for and then find nothing; a table gone before the rest would look like a failing handler to them.
 *
 * @param client in a transaction
 */
export async function dropSide(client: PoolClient, side: string): Promise<void> {
  const { rows } = await client.query<{ there: boolean }>('SELECT to_regclass($1) IS NOT NULL AS there', [
    versionTable(side),
  ])
  if (rows[0]?.there === true) await client.query(`DROP TABLE ${versionTable(side)}`)
  await client.query('DELETE FROM projections.projection WHERE name = $1', [side])
  await client.query(`DROP SCHEMA IF EXISTS ${quoted(side)} CASCADE`)
}

/**
 * What the catalog knows of the tables named.
 *
 * @throws RebuildFailedError when one is missing, or when something hangs on it that a swap would lose
 */
export async function describeTables(pool: Pool, projection: string, names: readonly string[]): Promise<LiveTable[]> {
  return Promise.all(names.map((name) => describe(pool, projection, name)))
}

async function describe(pool: Pool, projection: string, table: string): Promise<LiveTable> {
  const { rows } = await pool.query<{
    schema: string
    name: string
    options: string | null
    json_columns: string[]
    bytes: number
    rows: number
  }>(
    `SELECT n.nspname AS schema, c.relname AS name, array_to_string(c.reloptions, ', ') AS options,
       ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
         AND a.atttypid IN ('json'::regtype, 'jsonb'::regtype)) AS json_columns,
       pg_total_relation_size(c.oid)::float8 AS bytes, greatest(c.reltuples, 0)::float8 AS rows
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)`,
    [table],
  )
  const live = rows[0]
  if (live === undefined) throw new RebuildFailedError(projection, `its table ${table} does not exist`)
  await refuseDependents(pool, projection, table)
  const indexes = await pool.query<{ name: string; definition: string }>(
    `SELECT c.relname AS name, pg_get_indexdef(i.indexrelid) AS definition
     FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
     WHERE i.indrelid = to_regclass($1) AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)`,
    [table],
  )
  // Checks come with LIKE; keys, and what else has an index of its own, come here.
  const constraints = await pool.query<{ name: string; definition: string }>(
    `SELECT conname AS name, pg_get_constraintdef(oid) AS definition FROM pg_constraint
     WHERE conrelid = to_regclass($1) AND contype IN ('p', 'u', 'x', 'f')`,
    [table],
  )
  const grants = await pool.query<{ head: string; tail: string }>(
    `SELECT 'GRANT ' || a.privilege_type AS head,
       CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END
         || CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS tail
     FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = to_regclass($1) AND a.grantee <> c.relowner`,
    [table],
  )
  return {
    schema: live.schema,
    name: live.name,
    options: live.options,
    jsonColumns: new Set(live.json_columns),
    indexes: indexes.rows,
    constraints: constraints.rows,
    grants: grants.rows,
    bytes: live.bytes,
    rows: live.rows,
  }
}

/** What would be lost with the old table, or would keep it alive, is said before an hour of work and not after it. */
async function refuseDependents(pool: Pool, projection: string, table: string): Promise<void> {
  const { rows } = await pool.query<{ dependent: string }>(
    `SELECT 'view ' || r.ev_class::regclass AS dependent FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
       WHERE d.classid = 'pg_rewrite'::regclass AND d.refobjid = to_regclass($1) AND r.ev_class <> to_regclass($1)
     UNION SELECT 'foreign key ' || conname FROM pg_constraint WHERE contype = 'f' AND confrelid = to_regclass($1)
     UNION SELECT 'trigger ' || tgname FROM pg_trigger WHERE tgrelid = to_regclass($1) AND NOT tgisinternal
     UNION SELECT 'policy ' || polname FROM pg_policy WHERE polrelid = to_regclass($1)
     UNION SELECT 'sequence ' || d.objid::regclass FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S'
       WHERE d.classid = 'pg_class'::regclass AND d.refobjid = to_regclass($1) AND d.deptype = 'a'
     ORDER BY 1`,
    [table],
  )
  if (rows.length === 0) return
  const dependents = rows.map(({ dependent }) => dependent)
  const problem = `${table} cannot be swapped for a new table while these hang on it: ${dependents.join(', ')}; remove them, or use handlers with \`reset\` instead of \`tables\``
  throw new RebuildFailedError(projection, problem, { dependents })
}

// pg_get_indexdef writes `CREATE INDEX name ON schema.table USING …`; the name belongs to the schema of the table.
function inSchema(definition: string, { schema, name }: LiveTable, mine: string): string {
  const bare = (identifier: string) => (/^[a-z_][a-z0-9_]*$/.test(identifier) ? identifier : quoted(identifier))
  return definition.replace(` ON ${bare(schema)}.${bare(name)} `, ` ON ${mine} `)
}
