import { join } from 'node:path'
import { printTable } from '../print-table.js'
import { startFreshnessProbe } from './freshness-probe.js'
import { holdWritingTransaction } from './idle-transaction.js'
import { median, quantile } from './numbers.js'
import { generateCsv, type ImportSummary, startImport } from './paced-import.js'
import type { Scene } from './scene.js'

interface Run {
  readonly held: boolean
  /** Users a second, by the command's own clock. */
  readonly imported: number
  /** Last line confirmed until the directory has every change, in milliseconds. */
  readonly behindMs: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** Imports the same number of users in interleaved pairs, with and without a held writing transaction. */
export async function measureIdleTransaction(
  scene: Scene,
  { users, pairs, seed }: { users: number; pairs: number; seed: number },
  report: (line: string) => void,
): Promise<number> {
  const runs: Run[] = []
  await oneRun(scene, Math.min(users, 2000), seed, false) // warms caches, plans and compilers
  for (let pair = 0; pair < pairs; pair++) {
    // Which comes first changes, so that a growing database burdens both alike.
    for (const held of pair % 2 === 0 ? [false, true] : [true, false]) {
      const run = await oneRun(scene, users, seed + 1 + runs.length, held)
      runs.push(run)
      report(`${held ? 'held' : 'free'}: ${Math.round(run.imported)} users/s, p99 ${run.p99Ms.toFixed(1)} ms`)
    }
  }
  const rows = [false, true].map((held) => {
    const of = (pick: (run: Run) => number) => median(runs.filter((run) => run.held === held).map(pick))
    return {
      held,
      imported: of((run) => run.imported),
      behindMs: of((run) => run.behindMs),
      p50Ms: of((run) => run.p50Ms),
      p99Ms: of((run) => run.p99Ms),
    }
  })
  printTable(
    [`medians of ${pairs} runs`, 'users/s', 'caught up after ms', 'fresh p50 ms', 'fresh p99 ms'],
    rows.map((row) => [
      row.held ? 'a writing transaction held' : 'without it',
      row.imported,
      row.behindMs,
      row.p50Ms,
      row.p99Ms,
    ]),
  )
  const [free, held] = rows as [Run, Run]
  const { violations } = await scene.check([])
  console.log(
    `\n${JSON.stringify({
      drill: 'idle transaction',
      users,
      pairs,
      throughputRatio: round(held.imported / free.imported),
      freshnessP50Ratio: round(held.p50Ms / free.p50Ms),
      freshnessP99Ratio: round(held.p99Ms / free.p99Ms),
      free: { usersPerSecond: round(free.imported), p50Ms: round(free.p50Ms), p99Ms: round(free.p99Ms) },
      held: { usersPerSecond: round(held.imported), p50Ms: round(held.p50Ms), p99Ms: round(held.p99Ms) },
      violations: violations.total,
    })}`,
  )
  return violations.total === 0 ? 0 : 1
}

async function oneRun(scene: Scene, users: number, seed: number, held: boolean): Promise<Run> {
  const csv = join(scene.directory, `users-${seed}.csv`)
  await generateCsv(csv, users, seed)
  const { registry, directory } = scene.endpoints as { registry: string; directory: string }
  const transaction = held ? await holdWritingTransaction(scene.databases.registry) : undefined
  try {
    const probe = await startFreshnessProbe({ registry, directory })
    const summary: ImportSummary = await startImport(csv, scene.endpointsPath).finish()
    const latencies = await probe.stop()
    const behindMs = await scene.quiet(120_000)
    return {
      held,
      imported: (summary.created + summary.unchanged) / summary.seconds,
      behindMs,
      p50Ms: quantile(latencies, 0.5),
      p99Ms: quantile(latencies, 0.99),
    }
  } finally {
    await transaction?.end()
  }
}

const round = (value: number) => Math.round(value * 100) / 100
