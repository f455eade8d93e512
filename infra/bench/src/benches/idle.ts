import { type OutboxReader, openOutboxReader, outboxMigrations } from '@rollcall/outbox'
import type { Bench } from '../bench.js'
import { type BenchDatabase, openBenchDatabase } from '../bench-tools.js'
import { interleave, median, pairedRatio } from '../measure.js'

const FEW = 10_000
const MANY = 5_000_000
const TICKS = 2_000

export const idle: Bench = {
  name: 'idle',
  about: "the relay's look at an outbox without news, 5,000,000 shipped rows retained against 10,000",
  async run({ stack, rounds, scale, log }) {
    const few = await openBenchDatabase(stack, 'bench_idle_few', [outboxMigrations], 1)
    const many = await openBenchDatabase(stack, 'bench_idle_many', [outboxMigrations], 1)
    const rows = Math.round(MANY * scale)
    log(`filling ${FEW} and ${rows} rows`)
    await fill(few, FEW)
    await fill(many, rows)
    const small = await openOutboxReader(few.url, 'bench')
    const large = await openOutboxReader(many.url, 'bench')
    try {
      const figures = await interleave(rounds, { few: () => tickMs(small), many: () => tickMs(large) })
      const ratio = pairedRatio(figures.many, figures.few)
      return [
        {
          bench: 'idle',
          value: median(figures.many),
          ceiling: median(figures.few),
          ratio,
          unit: 'ms',
          against: `the same look over ${FEW} rows`,
          ask: { text: '<= 1.5', holds: ratio <= 1.5 },
        },
      ]
    } finally {
      await Promise.all([small.close(), large.close(), few.pool.end(), many.pool.end()])
    }
  },
}

/** Rows of many transactions; small ones, because a look without news never reads a record. */
async function fill({ pool }: BenchDatabase, rows: number): Promise<void> {
  await pool.query('SET synchronous_commit = off')
  const step = 50_000
  for (let from = 0; from < rows; from += step) {
    await pool.query(
      `INSERT INTO outbox.message (aggregate_id, version, topic, record)
       SELECT lpad(to_hex(n), 32, '0')::uuid, 1, 'users.lifecycle.v1', convert_to(repeat('x', 100), 'UTF8')
       FROM generate_series($1::bigint + 1, $2::bigint) AS n`,
      [from, Math.min(from + step, rows)],
    )
  }
  await pool.query('VACUUM ANALYZE outbox.message')
  await pool.query('CHECKPOINT')
}

async function tickMs(reader: OutboxReader): Promise<number> {
  const LIVE_ROWS = 1_000
  const { snapshot } = await reader.tick('1:1:' as Parameters<OutboxReader['tick']>[0], 1)
  const took: number[] = []
  for (let tick = 0; tick < TICKS; tick++) {
    const startedAt = performance.now()
    const { page } = await reader.tick(snapshot, LIVE_ROWS)
    took.push(performance.now() - startedAt)
    if (page?.rows !== 0) throw new Error('the look found rows in an idle outbox')
  }
  return median(took)
}
