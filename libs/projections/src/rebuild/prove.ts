import type { Pool, PoolClient } from '@rollcall/database'
import { versionTable } from '../store/version-table.js'
import { type ComparedTable, compareSides } from './compare-sides.js'
import { haveMet, type MeetingOptions, meet, partitionsApart, positions } from './meeting.js'
import type { Proof } from './rebuild-progress.js'
import { tableOf } from './side-tables.js'
import type { SideTable } from './sides.js'

export interface ProveOptions extends MeetingOptions {
  readonly tables: readonly SideTable[]
}

/**
 * Compares the next side with the live one, exactly: both are brought to one position for a moment, a snapshot is taken
 * there, and everybody goes on while it is compared.
 *
 * @returns why not, when the live side stands still behind it somewhere, or has never been there
 */
export async function prove(options: ProveOptions): Promise<Proof | { readonly unproven: string }> {
  const { live, other, pool, clock, tables } = options
  const startedAt = clock.now()
  const seen = await meet(options, (ends, isDeserted) => snapshotWhere(pool, live, other, ends, isDeserted))
  const { client, apart, at } = seen
  let broken: Error | undefined
  try {
    if (apart.length > 0) {
      return {
        unproven: `the live side stands elsewhere in partition ${apart.join(', ')}, so there is nothing to compare`,
      }
    }
    // It need not be fast: the other cores are for those who live here.
    await client.query('SET LOCAL max_parallel_workers_per_gather = 0')
    const parked = await parkedUsers(client, [live, other])
    const comparison = await compareSides(client, comparedTables(live, other, tables), parked.users)
    return {
      ...comparison,
      parkedLive: parked.counts.get(live) ?? 0,
      parkedNext: parked.counts.get(other) ?? 0,
      positions: at,
      tookMs: clock.now() - startedAt,
    }
  } finally {
    await client.query('ROLLBACK').catch((error: Error) => {
      broken = error
    })
    client.release(broken)
  }
}

/** Both sides at the same position, in a snapshot that stays; undefined when they moved on before it was taken. */
async function snapshotWhere(
  pool: Pool,
  live: string,
  other: string,
  ends: ReadonlyMap<number, number>,
  isDeserted: boolean,
) {
  const client = await pool.connect()
  let isTaken = false
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    const now = await positions(client, live, other)
    if (!haveMet(now, ends, isDeserted)) return undefined
    isTaken = true
    const at = Object.fromEntries([...now.other].map(([partition, { position }]) => [partition, position]))
    return { client, apart: partitionsApart(now), at }
  } finally {
    if (!isTaken) {
      const broken = await client.query('ROLLBACK').then(
        () => undefined,
        (error: Error) => error,
      )
      client.release(broken)
    }
  }
}

function comparedTables(live: string, other: string, tables: readonly SideTable[]): ComparedTable[] {
  return [
    ...tables.map((table) => ({
      name: table.name,
      live: tableOf(table),
      other: tableOf({ schema: other, name: table.name }),
    })),
    { name: 'applied versions', live: versionTable(live), other: versionTable(other) },
  ]
}

async function parkedUsers(client: PoolClient, sides: readonly string[]) {
  const { rows } = await client.query<{ side: string; key: string }>(
    'SELECT projection AS side, key::text FROM projections.parked_user WHERE projection = ANY ($1)',
    [sides],
  )
  const counts = new Map<string, number>()
  for (const { side } of rows) counts.set(side, (counts.get(side) ?? 0) + 1)
  return { users: new Set(rows.map(({ key }) => key)), counts }
}
