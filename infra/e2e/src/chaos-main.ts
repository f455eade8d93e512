import { writeFileSync } from 'node:fs'
import { toErrorFacts } from '@rollcall/errors'
import { type ChaosOptions, ChaosOptionsInvalidError, chaosUsage, parseChaosOptions } from './chaos/chaos-options.js'
import type { Fault } from './chaos/fault.js'
import type { FaultOutcome } from './chaos/fault-outcome.js'
import { faults } from './chaos/faults/all.js'
import { mutantNamed, mutants } from './chaos/mutants/all.js'
import { boundOf, faultsText, mutantsText, provenance, writeResults } from './chaos/results.js'
import { runFaults } from './chaos/run-faults.js'
import { runControls, runMutants } from './chaos/run-mutants.js'
import { printTable } from './print-table.js'

const startedAt = new Date()
const command = ['npm run chaos --', ...process.argv.slice(2)].join(' ').replace(/ --$/, '')

process.exitCode = await main()

async function main(): Promise<number> {
  try {
    const options = parseChaosOptions(process.argv.slice(2))
    if (options === 'help') {
      console.log(chaosUsage)
      return 0
    }
    return await (options.mutants ? runMutation(options) : runMatrix(options))
  } catch (error) {
    console.error(toErrorFacts(error))
    return error instanceof ChaosOptionsInvalidError ? 2 : 1
  }
}

async function runMatrix(options: ChaosOptions): Promise<number> {
  const chosen = options.faults.map((name) => faults.find((fault) => fault.name === name) as Fault)
  say(`seed ${options.seed}: ${chosen.length} faults`)
  const outcomes = await runFaults(chosen, { ...options, say, done: sayOutcome })
  console.log()
  printTable(
    ['', 'fault', 'trials', 'violations', '95 % bound', 'seconds'],
    outcomes.map((one) => [one.matrix, one.name, one.trials, one.violations, boundOf(one), one.seconds]),
  )
  const apart = process.env.ROLLCALL_CHAOS_OUTCOME
  if (apart !== undefined) writeFileSync(apart, JSON.stringify(outcomes))
  const where = provenance(command, startedAt)
  const name = `chaos-${options.length}`
  save(options, name, faultsText(where, outcomes), { ...where, seed: options.seed, outcomes })
  return outcomes.every(({ violations }) => violations === 0) ? 0 : 1
}

async function runMutation(options: ChaosOptions): Promise<number> {
  const { mutant, seed } = options
  const chosen = mutant.length === 0 ? mutants : mutant.map(mutantNamed)
  say(`seed ${seed}: ${chosen.length} mutants`)
  const outcomes = await runMutants(chosen, { seed, say })
  const controls = await runControls(chosen, { seed, say })
  console.log()
  printTable(
    ['bug', 'fault', 'trials', 'caught', 'by'],
    [...outcomes, ...controls].map((one) => [
      one.mutant,
      one.fault,
      one.trials,
      one.isCaught ? 'yes' : '-',
      Object.keys(one.spoke).join(', '),
    ]),
  )
  const where = provenance(command, startedAt)
  save(options, 'mutants', mutantsText(where, outcomes, controls), { ...where, seed, outcomes, controls })
  return outcomes.every(({ isCaught }) => isCaught) && controls.every(({ spoke }) => Object.keys(spoke).length === 0)
    ? 0
    : 1
}

function sayOutcome(outcome: FaultOutcome): void {
  const { name, trials, violations, seconds, counts, varieties, problems, skipped } = outcome
  if (skipped !== undefined) {
    say(`${name}: not tried, ${skipped}`)
    return
  }
  say(
    `${name}: ${trials} trials, ${violations} violations, bound ${boundOf(outcome)}, ${seconds} s; checked ` +
      `${counts?.changes ?? 0} changes, ${counts?.records ?? 0} records (${counts?.duplicates ?? 0} duplicates), ` +
      `${counts?.journalled ?? 0} requests`,
  )
  say(
    `  ${Object.entries(varieties)
      .map(([what, times]) => `${what} ${times}`)
      .join(', ')}`,
  )
  for (const problem of problems.slice(0, 20)) say(`  VIOLATION ${problem}`)
}

/** A bound holds for trials without a violation only. */
function save({ results }: ChaosOptions, name: string, text: string, data: unknown): void {
  if (results !== undefined) say(`written to ${writeResults(results, name, text, data)}`)
}

function say(line: string): void {
  console.log(`${new Date().toISOString().slice(11, 23)} ${line}`)
}
