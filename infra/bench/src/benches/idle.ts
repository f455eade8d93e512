import { type OutboxReader, openOutboxReader, outboxMigrations } from '@rollcall/outbox'
import type { Bench } from '../bench.js'
import { type BenchDatabase, openBenchDatabase } from '../bench-tools.js'
import { median, pairedRatio } from '../measure.js'

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
      const figures = { few: [] as number[], many: [] as number[] }
      for (let round = 0; round < rounds; round++) {
        const { few: fewMs, many: manyMs } = await lookInTurns({ few: small, many: large })
        figures.few.push(fewMs)
        figures.many.push(manyMs)
        log(`${manyMs.toFixed(3)} against ${fewMs.toFixed(3)} ms`)
      }
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

/** Median milliseconds of a look; the two take turns look by look, being shorter than the machine's moods. */
async function lookInTurns<Name extends string>(readers: Readonly<Record<Name, OutboxReader>>) {
  const took = {} as Record<Name, number[]>
  const since = {} as Record<Name, Snapshot>
  const names = Object.keys(readers) as Name[]
  for (const name of names) {
    took[name] = []
    since[name] = (await readers[name].tick('1:1:' as Snapshot, 1)).snapshot
  }
  for (let tick = 0; tick < TICKS; tick++) {
    for (const name of names) {
      const startedAt = performance.now()
      const { page } = await readers[name].tick(since[name], LIVE_ROWS)
      took[name].push(performance.now() - startedAt)
      if (page?.rows !== 0) throw new Error('the look found rows in an idle outbox')
    }
  }
  return Object.fromEntries(names.map((name) => [name, median(took[name])])) as Record<Name, number>
}

type Snapshot = Parameters<OutboxReader['tick']>[0]

const LIVE_ROWS = 1_000
