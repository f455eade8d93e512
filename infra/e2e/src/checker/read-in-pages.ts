import type { Pool } from '@rollcall/database'

const ROWS_PER_PAGE = 2000

/** Reads a query's rows through a server-side cursor in one read-only snapshot: memory stays that of one page. */
export async function* readInPages<Row>(pool: Pool, select: string): AsyncIterable<Row> {
  const client = await pool.connect()
  let broken = true
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    await client.query(`DECLARE page NO SCROLL CURSOR FOR ${select}`)
    for (;;) {
      const { rows } = await client.query(`FETCH ${ROWS_PER_PAGE} FROM page`)
      yield* rows as Row[]
      if (rows.length < ROWS_PER_PAGE) break
    }
    await client.query('COMMIT')
    broken = false
  } finally {
    client.release(broken)
  }
}
