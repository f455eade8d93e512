import type { Sql } from '@rollcall/database'
import { keyOf } from './page.js'

/** How many of the record bodies this outbox has, of the messages not shipped by the stored position or of their keys' aggregates. */
export async function countInOutbox(sql: Sql, bodies: readonly Buffer[]): Promise<number> {
  let count = 0
  for (let from = 0; from < bodies.length; from += CHUNK) {
    count += await countChunk(sql, bodies.slice(from, from + CHUNK))
  }
  return count
}

const CHUNK = 5_000

async function countChunk(sql: Sql, bodies: readonly Buffer[]): Promise<number> {
  const keyed = bodies.filter((body) => isUuid(keyOf(body)))
  const { rows } = await sql.query<{ position: number }>(BY_KEY_SQL, [keyed.map((body) => String(keyOf(body))), keyed])
  const known = new Set(rows.map(({ position }) => keyed[position - 1]))
  const others = bodies.filter((body) => !known.has(body))
  if (others.length === 0) return bodies.length
  // A key may be anything. What was sent and is not accounted for lies in the window behind the stored position.
  const window = await sql.query<{ count: string }>(IN_WINDOW_SQL, [others])
  return bodies.length - others.length + Number(window.rows[0]?.count ?? 0)
}

const BY_KEY_SQL = `
  SELECT sent.position::integer AS position
  FROM unnest($1::uuid[], $2::bytea[]) WITH ORDINALITY AS sent (key, body, position)
  WHERE EXISTS (SELECT FROM outbox.message m WHERE m.aggregate_id = sent.key AND m.record = sent.body)`

const IN_WINDOW_SQL = `
  SELECT count(*) FROM unnest($1::bytea[]) AS sent (body)
  WHERE sent.body IN (SELECT m.record FROM outbox.message m
    WHERE m.xid >= (SELECT pg_snapshot_xmin(snap) FROM outbox.relay))`

const isUuid = (key: Buffer | undefined): boolean =>
  key !== undefined && key.length === 36 && /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(key.toString('latin1'))
