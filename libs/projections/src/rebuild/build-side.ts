import { type Pool, withTransaction } from '@rollcall/database'
import { tableWriter } from '../apply/table-writer.js'
import type { Clock } from '../clock.js'
import type { ProjectedEvent, Projection } from '../define-projection.js'
import type { LogSource } from '../log-source.js'
import type { ParkingLimits } from '../parking/parking.js'
import { RebuildFailedError } from '../projection-errors.js'
import { foldInto } from './fold.js'
import { type Governor, governor } from './governor.js'
import { createSideTables, describeTables, dropSide, indexSideTables, type LiveTable } from './side-tables.js'
import { sideName } from './sides.js'

export interface BuildOptions<E extends ProjectedEvent, Tx> {
  readonly projection: Projection<E, Tx>
  readonly pool: Pool
  readonly kafka: LogSource
  readonly decode: (value: Buffer) => E | Promise<E>
  readonly clock: Clock
  readonly parkingLimits: ParkingLimits
  readonly isTransient: (error: unknown) => boolean
}

export interface BuildRun {
  readonly signal: AbortSignal
  /** Told of each step before it begins, and of records as they are read. */
  readonly tell: (phase: 'reading' | 'indexing', events: number) => void
  /** The governor, for those who know how the live side does. */
  readonly governed: (governor: Governor) => void
}

/** The tables a projection's next side is made of; undefined when it can only be rebuilt in place. */
export const sideTablesOf = <E extends ProjectedEvent, Tx>({ table, tables }: Projection<E, Tx>) =>
  table === undefined ? tables : [table.name]

/**
 * Makes the next side and fills it as far as its ordinary runners can take over, which this call begins by setting the
 * side's state to `running`. What a process that died has done already is not done again.
 */
export async function buildSide<E extends ProjectedEvent, Tx>(
  options: BuildOptions<E, Tx>,
  { signal, tell, governed }: BuildRun,
): Promise<void> {
  const { projection, pool, clock } = options
  const side = sideName(projection.name, 'next')
  const tables = await describeTables(pool, projection.name, sideTablesOf(projection) ?? [])
  const state = await openSide(options, side, tables)
  if (state === 'running') return
  const pacing = governor({ clock, probe: () => pool.query('SELECT 1') })
  governed(pacing)
  try {
    let events = 0
    tell('reading', events)
    if (projection.table !== undefined) {
      const table = tables[0] as LiveTable
      const writer = tableWriter(projection)
      const seen = (records: number) => {
        events += records
        tell('reading', events)
      }
      await foldInto({ ...options, projection, writer, governor: pacing, side, table }, { signal, seen })
    } else await beginAtStart(options, side)
    tell('indexing', events)
    await indexSideTables(pool, side, tables, side)
  } finally {
    await pacing.close()
  }
  if (signal.aborted) throw new RebuildFailedError(projection.name, 'the process closes')
  await pool.query("UPDATE projections.projection SET state = 'running' WHERE name = $1", [side])
}

/** Makes the side unless this version's is there; answers its state. */
async function openSide<E extends ProjectedEvent, Tx>(
  { projection, pool }: BuildOptions<E, Tx>,
  side: string,
  tables: readonly LiveTable[],
): Promise<string> {
  const { rows } = await pool.query<{ version: number; state: string }>(
    'SELECT version, state FROM projections.projection WHERE name = $1',
    [side],
  )
  const [there] = rows
  if (there !== undefined && Number(there.version) === projection.version) return there.state
  await withTransaction(pool, async (client) => {
    await dropSide(client, side)
    const home = tables.map(({ schema, name }) => ({ schema, name }))
    await client.query(
      `INSERT INTO projections.projection (name, version, topic, state, tables) VALUES ($1, $2::int, $3, 'rebuilding', $4::jsonb)`,
      [side, projection.version, projection.topic.name, JSON.stringify(home)],
    )
    await createSideTables(client, side, tables, side)
  })
  return 'rebuilding'
}

async function beginAtStart<E extends ProjectedEvent, Tx>(
  { projection, pool, kafka }: BuildOptions<E, Tx>,
  side: string,
): Promise<void> {
  const offsets = await kafka.offsets(projection.topic.name)
  await pool.query(
    `INSERT INTO projections.checkpoint (projection, partition, position, epoch)
     SELECT $1::text, partition, low, 1 FROM unnest($2::int[], $3::bigint[]) AS new (partition, low) ON CONFLICT DO NOTHING`,
    [side, offsets.map(({ partition }) => partition), offsets.map(({ low }) => low)],
  )
}
