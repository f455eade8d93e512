import type { PoolClient } from '@rollcall/database'
import { RebuildFailedError } from '../projection-errors.js'
import { quoted } from '../store/table-rows.js'
import { versionTable, versionTableName } from '../store/version-table.js'
import { LOCK_CHECKPOINTS } from './meeting.js'
import { dropSide, tableOf } from './side-tables.js'
import { type Aside, type SideTable, sideName, sideSchema } from './sides.js'

export interface SwapOptions {
  readonly projection: string
  /** The side that becomes the live one. */
  readonly side: Aside
  /** How long the side that was live is kept following. */
  readonly keepMs: number
}

/** Keeps runners of both sides out until the end of the transaction; those under way are waited for. */
export async function lockSides(client: PoolClient, { projection, side }: Pick<SwapOptions, 'projection' | 'side'>) {
  const other = sideName(projection, side)
  // Runners take this lock before their checkpoint's: the other order deadlocks.
  await client.query(`LOCK TABLE ${versionTable(projection)}, ${versionTable(other)} IN ACCESS EXCLUSIVE MODE`)
  await client.query(LOCK_CHECKPOINTS, [[projection, other]])
}

/**
 * Puts a side in the place of the live one, which becomes the previous one: tables, versions, checkpoints, parked users,
 * all in the transaction of the client. Epochs go up, so that every runner finds itself fenced and claims anew.
 */
export async function swapSides(client: PoolClient, { projection, side, keepMs }: SwapOptions): Promise<void> {
  const other = sideName(projection, side)
  const prev = sideName(projection, 'prev')
  const between = `${projection}~swap`
  const others = await tablesOf(client, other)
  const home = { live: (await tablesOf(client, projection)) ?? others ?? [], other: others ?? [] }
  const isPaused = (await stateOf(client, projection)) === 'paused'
  if (side !== 'prev') await dropSide(client, prev)

  await client.query(`CREATE SCHEMA ${quoted(between)}`)
  for (const table of home.live) await move(client, table, between)
  for (const { schema, name } of home.other) {
    await dropModel(client, projection, { schema, name })
    await move(client, { schema: sideSchema(projection, side), name }, schema)
  }
  await client.query(`DROP SCHEMA ${quoted(sideSchema(projection, side))}`)
  await client.query(`ALTER SCHEMA ${quoted(between)} RENAME TO ${quoted(sideSchema(projection, 'prev'))}`)

  for (const [from, to] of [
    [projection, between],
    [other, projection],
    [between, prev],
  ] as const) {
    await client.query(`ALTER TABLE ${versionTable(from)} RENAME TO ${quoted(versionTableName(to))}`)
    await client.query('UPDATE projections.projection SET name = $2 WHERE name = $1', [from, to])
  }
  await client.query(
    `UPDATE projections.projection SET rebuild = NULL, state = 'running', expires_at = now() + $2::float8 * interval '1 ms'
     WHERE name = $1`,
    [prev, keepMs],
  )
  // A pause is the operator's, and holds.
  await client.query('UPDATE projections.projection SET expires_at = NULL, state = $2 WHERE name = $1', [
    projection,
    isPaused ? 'paused' : 'running',
  ])
  await client.query(
    `UPDATE projections.checkpoint c SET claimed_by = NULL, claimed_at = NULL, failure = NULL, halt_at = NULL, halt_until = NULL,
       parking = parking + 1, epoch = 1 + (SELECT max(epoch) FROM projections.checkpoint WHERE projection = ANY ($1))
     WHERE projection = ANY ($1)`,
    [[projection, prev]],
  )
}

const move = (client: PoolClient, table: SideTable, schema: string) =>
  client.query(`ALTER TABLE ${tableOf(table)} SET SCHEMA ${quoted(schema)}`)

/**
 * A version with other tables was made after the model of empty ones that a migration left: now the filled ones take their
 * place. @throws RebuildFailedError when somebody has put rows there
 */
async function dropModel(client: PoolClient, projection: string, table: SideTable): Promise<void> {
  const name = tableOf(table)
  const { rows } = await client.query<{ there: boolean }>('SELECT to_regclass($1) IS NOT NULL AS there', [name])
  if (rows[0]?.there !== true) return
  const used = await client.query(`SELECT 1 FROM ${name} LIMIT 1`)
  if (used.rows.length > 0) throw new RebuildFailedError(projection, `${name} has rows and is not its live table`)
  await client.query(`DROP TABLE ${name}`)
}

async function stateOf(client: PoolClient, name: string): Promise<string | undefined> {
  const { rows } = await client.query<{ state: string }>('SELECT state FROM projections.projection WHERE name = $1', [
    name,
  ])
  return rows[0]?.state
}

/** Null of a projection that has never noted them: then they are called like the other side's. */
async function tablesOf(client: PoolClient, side: string): Promise<readonly SideTable[] | null> {
  const { rows } = await client.query<{ tables: SideTable[] | null }>(
    'SELECT tables FROM projections.projection WHERE name = $1',
    [side],
  )
  return rows[0]?.tables ?? null
}
