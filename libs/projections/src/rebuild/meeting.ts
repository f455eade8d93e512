import { type Pool, type PoolClient, withTransaction } from '@rollcall/database'
import type { Clock } from '../clock.js'
import type { LogSource } from '../log-source.js'
import { SidesApartError } from '../projection-errors.js'

export interface MeetingOptions {
  /** The name of the projection, and of its other side. */
  readonly live: string
  readonly other: string
  readonly topic: string
  readonly pool: Pool
  readonly kafka: Pick<LogSource, 'offsets'>
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** One side's partition, as the database has it. */
export interface SidePosition {
  readonly position: number
  /** It cannot move: stopped on a failure, or its side is paused. */
  readonly isStanding: boolean
}

export interface Positions {
  readonly live: ReadonlyMap<number, SidePosition>
  readonly other: ReadonlyMap<number, SidePosition>
}

/**
 * True when both sides have applied the very same records. A partition of the live side that stands still is passed by:
 * a rebuild is the way out of many failures. `ends` are the high watermarks, which a recreated topic puts below.
 */
export function haveMet({ live, other }: Positions, ends: ReadonlyMap<number, number>, isDeserted: boolean): boolean {
  if (other.size === 0) return false
  return [...live].every(([partition, { position, isStanding }]) => {
    const mine = other.get(partition)?.position
    if (mine === undefined) return false
    if (isStanding || isDeserted) return mine >= Math.min(position, ends.get(partition) ?? position)
    return mine === position
  })
}

/**
 * Brings both sides to the same position in every partition for a moment, and does the work there. Runners are asked to
 * halt where the one ahead is now: it waits until the other has come. (At today's end of the topic, both had the whole lag
 * to work off before the request ran out, and a machine with seconds of lag never got there.)
 * A request runs out by itself: what the work relies on, it must check under its own snapshot or locks.
 *
 * @param work answers undefined when the sides have not met after all
 * @throws SidesApartError
 */
export async function meet<R>(
  options: MeetingOptions,
  work: (ends: ReadonlyMap<number, number>, isDeserted: boolean) => Promise<R | undefined>,
): Promise<R> {
  const { live, other, topic, pool, kafka, clock, signal } = options
  let apart = 'they were not seen'
  // Nobody may run the live side: its version is no longer deployed.
  let isDeserted = false
  for (let attempt = 1; attempt <= ATTEMPTS && !signal.aborted; attempt++) {
    const ends = new Map((await kafka.offsets(topic)).map(({ partition, high }) => [partition, high]))
    const haltMs = HALT_MS * Math.min(attempt, 3)
    const before = await askToHalt(pool, [live, other], haltMs)
    const deadline = clock.now() + haltMs
    try {
      for (let now = before; clock.now() < deadline && !signal.aborted; now = await positions(pool, live, other)) {
        if (haveMet(now, ends, isDeserted)) {
          const result = await work(ends, isDeserted)
          if (result !== undefined) return result
        }
        apart = told(now)
        await clock.wait(LOOK_MS, signal)
      }
      isDeserted = didNotMove(before, await positions(pool, live, other))
    } finally {
      await pool.query(
        `WITH locked AS MATERIALIZED (${LOCK_CHECKPOINTS})
         UPDATE projections.checkpoint c SET halt_at = NULL, halt_until = NULL FROM locked
         WHERE c.projection = locked.projection AND c.partition = locked.partition`,
        [[live, other]],
      )
    }
    await clock.wait(100 * attempt, signal)
  }
  throw new SidesApartError(live, apart)
}

/** True when the live side had something to do, and did nothing. One that is ahead, or has arrived, only waits. */
export function didNotMove(before: Positions, after: Positions): boolean {
  const behind = [...before.live].filter(([partition, { position }]) => {
    return position < (before.other.get(partition)?.position ?? 0)
  })
  return (
    behind.length > 0 && behind.every(([partition, { position }]) => after.live.get(partition)?.position === position)
  )
}

const ATTEMPTS = 15
const HALT_MS = 2_000
const LOOK_MS = 5

/** Locks the checkpoints of both sides in the order in which runners lock theirs. */
export const LOCK_CHECKPOINTS =
  'SELECT projection, partition FROM projections.checkpoint WHERE projection = ANY ($1) ORDER BY partition, projection FOR UPDATE'

async function askToHalt(pool: Pool, names: readonly string[], forMs: number): Promise<Positions> {
  const [live = '', other = ''] = names
  return withTransaction(pool, async (client) => {
    await client.query(LOCK_CHECKPOINTS, [names])
    await client.query(
      `UPDATE projections.checkpoint c
       SET halt_at = ahead.position, halt_until = clock_timestamp() + $2::int * interval '1 ms', parking = c.parking + 1
       FROM (SELECT partition, max(position) AS position FROM projections.checkpoint WHERE projection = ANY ($1)
             GROUP BY partition) AS ahead
       WHERE c.projection = ANY ($1) AND c.partition = ahead.partition`,
      [names, forMs],
    )
    return positions(client, live, other)
  })
}

/** @param client in whose snapshot */
export async function positions(client: Pool | PoolClient, live: string, other: string): Promise<Positions> {
  const { rows } = await client.query<{ name: string; partition: number; position: string; standing: boolean }>(
    `SELECT c.projection AS name, c.partition, c.position, (c.failure IS NOT NULL OR p.state = 'paused') AS standing
     FROM projections.checkpoint c JOIN projections.projection p ON p.name = c.projection
     WHERE c.projection = ANY ($1) ORDER BY c.partition`,
    [[live, other]],
  )
  const of = (side: string) =>
    new Map(
      rows
        .filter(({ name }) => name === side)
        .map(({ partition, position, standing }) => [partition, { position: Number(position), isStanding: standing }]),
    )
  return { live: of(live), other: of(other) }
}

/** Where the sides differ. A side that has never been in a partition has applied none of its records. */
export function partitionsApart({ live, other }: Positions): readonly number[] {
  const partitions = [...new Set([...live.keys(), ...other.keys()])].sort((a, b) => a - b)
  return partitions.filter(
    (partition) => (live.get(partition)?.position ?? 0) !== (other.get(partition)?.position ?? 0),
  )
}

function told(now: Positions): string {
  const at = (side: Positions['live'], partition: number) => side.get(partition)?.position ?? 'nowhere'
  return partitionsApart(now)
    .slice(0, 3)
    .map((partition) => `partition ${partition} at ${at(now.live, partition)} and ${at(now.other, partition)}`)
    .join(', ')
}
