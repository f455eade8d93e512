import { createHash } from 'node:crypto'
import type { Sql } from '@rollcall/database'
import { keyOf } from './page.js'

/**
 * How many of the record bodies this outbox has. What a relay sent and could not account for any more lies right behind the
 * stored position; only what is not there is looked for among all messages of its key, and, without a key of ours, in
 * everything behind the position. (Looked for by key alone, 5,000 bodies made Postgres read the whole outbox: two seconds
 * of a restart at 300,000 messages, and more with each one kept.)
 */
export async function countInOutbox(sql: Sql, bodies: readonly Buffer[]): Promise<number> {
  const others = await notBehindPosition(sql, bodies)
  let count = bodies.length - others.length
  for (let from = 0; from < others.length; from += CHUNK) {
    count += await countByKey(sql, others.slice(from, from + CHUNK))
  }
  return count
}

const CHUNK = 5_000

async function notBehindPosition(sql: Sql, bodies: readonly Buffer[]): Promise<readonly Buffer[]> {
  const digests = bodies.map((body) => createHash('sha256').update(body).digest())
  const { rows } = await sql.query<{ position: number }>(BEHIND_POSITION_SQL, [digests, bodies.length * 2 + 1_000])
  const known = new Set(rows.map(({ position }) => Number(position) - 1))
  return bodies.filter((_, index) => !known.has(index))
}

async function countByKey(sql: Sql, bodies: readonly Buffer[]): Promise<number> {
  const keyed = bodies.filter((body) => isUuid(keyOf(body)))
  const { rows } = await sql.query<{ position: number }>(BY_KEY_SQL, [keyed.map((body) => String(keyOf(body))), keyed])
  const known = new Set(rows.map(({ position }) => keyed[position - 1]))
  const others = bodies.filter((body) => !known.has(body))
  if (others.length === 0) return bodies.length
  // A key may be anything. What was sent and is not accounted for lies in the window behind the stored position.
  const window = await sql.query<{ count: string }>(IN_WINDOW_SQL, [others])
  return bodies.length - others.length + Number(window.rows[0]?.count ?? 0)
}

// By id in a back-log, whose snapshot stays while the id moves on; by transaction in what is new.
const BEHIND_POSITION_SQL = `
  SELECT sent.position::integer AS position
  FROM unnest($1::bytea[]) WITH ORDINALITY AS sent (digest, position)
  WHERE sent.digest IN (
    SELECT sha256(near.record) FROM (
      (SELECT record FROM outbox.message WHERE id > (SELECT last_id FROM outbox.relay) ORDER BY id LIMIT $2)
      UNION ALL
      (SELECT record FROM outbox.message WHERE xid >= (SELECT pg_snapshot_xmin(snap) FROM outbox.relay)
       ORDER BY xid LIMIT $2)
    ) near)`

// OFFSET 0: key by key through the index, whatever the planner thinks of reading everything at once.
const BY_KEY_SQL = `
  SELECT sent.position::integer AS position
  FROM unnest($1::uuid[], $2::bytea[]) WITH ORDINALITY AS sent (key, body, position)
  WHERE sent.body IN (
    SELECT m.record FROM (SELECT DISTINCT key FROM unnest($1::uuid[]) AS key) k
    CROSS JOIN LATERAL (SELECT record FROM outbox.message WHERE aggregate_id = k.key OFFSET 0) m)`

const IN_WINDOW_SQL = `
  SELECT count(*) FROM unnest($1::bytea[]) AS sent (body)
  WHERE sent.body IN (SELECT m.record FROM outbox.message m
    WHERE m.xid >= (SELECT pg_snapshot_xmin(snap) FROM outbox.relay))`

const isUuid = (key: Buffer | undefined): boolean =>
  key !== undefined && key.length === 36 && /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(key.toString('latin1'))
