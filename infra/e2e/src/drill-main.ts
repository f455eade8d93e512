import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { toErrorFacts } from '@rollcall/errors'
import { printVerdict } from './checker/print-verdict.js'
import { type DrillOptions, DrillOptionsInvalidError, drillUsage, parseDrillOptions } from './drill/drill-options.js'
import { killDuringImport } from './drill/kill-drill.js'
import { measureIdleTransaction } from './drill/measure-idle-transaction.js'
import { median, quantile } from './drill/numbers.js'
import { generateCsv, startImport } from './drill/paced-import.js'
import { rebuildBesideChanges } from './drill/rebuild-beside-changes.js'
import { openScene, type Scene } from './drill/scene.js'
import { createShift } from './drill/second-consumers.js'
import { startTraffic } from './drill/traffic.js'
import { printTable } from './print-table.js'
import { createRandom } from './random.js'

const QUIET_WITHIN_MS = 300_000
const SMALL_BATCH = 200

process.exitCode = await main()

async function main(): Promise<number> {
  try {
    const options = parseDrillOptions(process.argv.slice(2))
    if (options === 'help') {
      console.log(drillUsage)
      return 0
    }
    const scene = await openScene({ endpointsPath: options.endpoints, report: say })
    const stop = () => void scene.close().finally(() => process.exit(1))
    process.once('SIGINT', stop)
    process.once('SIGTERM', stop)
    try {
      if (options.idleTransaction) return await measureIdleTransaction(scene, options, say)
      return options.rebuild ? await rehearseRebuild(scene, options) : await drill(scene, options)
    } finally {
      await scene.close()
    }
  } catch (error) {
    console.error(toErrorFacts(error))
    return error instanceof DrillOptionsInvalidError ? 2 : 1
  }
}

async function drill(scene: Scene, options: DrillOptions): Promise<number> {
  const { users, kills, victims, seed, twoDirectories } = options
  const startedAt = performance.now()
  say(`seed ${seed}: importing ${users} users while each of ${victims.join(', ')} is killed ${kills} times`)
  const csv = join(scene.directory, 'users.csv')
  await generateCsv(csv, users, seed)

  const random = createRandom(seed)
  const traffic = startTraffic({ registry: scene.endpoints.registry as string, random: createRandom(seed + 1) })
  const echo = scene.echo()
  const importing = startImport(csv, scene.endpointsPath, SMALL_BATCH)
  const shift = twoDirectories ? createShift(scene, say) : undefined
  const recoveries = await killDuringImport({
    victims: victims.map((name) => scene.victim(name)),
    killsPerVictim: kills,
    users,
    importing,
    random,
    ...(shift ? { beforeKill: shift } : {}),
    report: say,
  })
  const summary = await importing.finish()
  say(`imported: ${JSON.stringify(summary)}`)
  await sleep(500)
  await traffic.stop()
  const echoes = await echo.stop()
  // When it never gets quiet the checker says what is missing.
  const quietMs = await scene.quiet(QUIET_WITHIN_MS).catch((error: unknown) => {
    say(toErrorFacts(error).message)
    return null
  })
  if (quietMs !== null) say(`every consumer has caught up, ${quietMs} ms after the last change`)
  const verdict = await scene.check(traffic.journal)

  console.log()
  printTable(
    ['killed', 'times', 'back after, median ms', 'max ms'],
    victims.map((name) => {
      const times = recoveries.filter(({ victim }) => victim === name).map(({ recoverMs }) => recoverMs)
      return [name, times.length, median(times), Math.max(...times)]
    }),
  )
  console.log()
  printVerdict(verdict)
  for (const { lastAnswer } of traffic.unanswered) say(`a creation was never answered; last: ${lastAnswer}`)
  const journal = (outcome: string) => traffic.journal.filter((entry) => entry.outcome === outcome).length
  console.log(
    `\n${JSON.stringify({
      drill: twoDirectories ? 'kills, two directories' : 'kills',
      seed,
      users,
      created: summary.created,
      unchanged: summary.unchanged,
      failed: summary.failed,
      kills: Object.fromEntries(
        victims.map((name) => [name, recoveries.filter(({ victim }) => victim === name).length]),
      ),
      recoverMs: {
        median: median(recoveries.map((one) => one.recoverMs)),
        p90: quantile(
          recoveries.map((one) => one.recoverMs),
          0.9,
        ),
        max: Math.max(0, ...recoveries.map((one) => one.recoverMs)),
      },
      traffic: {
        ok: journal('ok'),
        fail: journal('fail'),
        unknown: journal('unknown'),
        unanswered: traffic.unanswered.length,
      },
      changes: verdict.counts.changes,
      records: verdict.counts.records,
      duplicates: verdict.counts.duplicates,
      echoes,
      oldAfterNew: verdict.counts.oldAfterNew,
      violations: verdict.violations.total,
      quietMs,
      seconds: Math.round((performance.now() - startedAt) / 1000),
    })}`,
  )
  return verdict.violations.total === 0 && summary.failed === 0 && quietMs !== null ? 0 : 1
}

async function rehearseRebuild(scene: Scene, options: DrillOptions): Promise<number> {
  const { users, changes, seed } = options
  const { stretches, rebuilds, killed, verified, verdict, problems } = await rebuildBesideChanges(scene, {
    users,
    seed,
    perSecond: changes,
    report: say,
  })
  console.log()
  printTable(
    ['stretch', 'seconds', 'changes', 'readable after, p50 ms', 'p99 ms', 'reads', 'failed', 'backwards', 'late'],
    stretches.map(({ name, seconds, changes, reads, failed, backwards, late, freshMs }) => [
      ...[name, seconds, changes, quantile(freshMs, 0.5), quantile(freshMs, 0.99)],
      ...[reads, failed, backwards, late],
    ]),
  )
  console.log()
  printVerdict(verdict)
  for (const problem of problems) say(problem)
  const [, before, during] = stretches.map(({ freshMs }) => quantile(freshMs, 0.99))
  console.log(
    `\n${JSON.stringify({
      drill: 'rebuild beside changes',
      ...{ seed, users, rebuilds, killed, verified },
      p99Ms: { before, during, ratio: Math.round((100 * (during ?? 0)) / (before ?? 1)) / 100 },
      reads: stretches.reduce((sum, { reads }) => sum + reads, 0),
      violations: verdict.violations.total,
      problems: problems.length,
    })}`,
  )
  return problems.length === 0 && verdict.violations.total === 0 ? 0 : 1
}

function say(line: string): void {
  console.log(`${new Date().toISOString().slice(11, 23)} ${line}`)
}
