import { writeFileSync } from 'node:fs'
import { toErrorFacts } from '@rollcall/errors'
import { type ChaosOptions, ChaosOptionsInvalidError, chaosUsage, parseChaosOptions } from './chaos/chaos-options.js'
import type { Fault } from './chaos/fault.js'
import type { FaultOutcome } from './chaos/fault-outcome.js'
import { faults } from './chaos/faults/all.js'
import { mutantNamed, mutants } from './chaos/mutants/all.js'
import { boundOf, faultsText, mutantsText, provenance, writeResults } from './chaos/results.js'
import { runFaults } from './chaos/run-faults.js'
import { type MutantOutcome, runControls, runMutants } from './chaos/run-mutants.js'
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
  const soFar: FaultOutcome[] = []
  const done = (outcome: FaultOutcome) => {
    soFar.push(outcome)
    sayOutcome(outcome)
    const where = provenance(command, startedAt)
    const data = { ...where, seed: options.seed, outcomes: soFar }
    save(options, `chaos-${options.length}`, faultsText(where, soFar), data)
  }
  const outcomes = await runFaults(chosen, { ...options, say, done })
  console.log()
  printTable(
    ['', 'fault', 'trials', 'violations', '95 % bound', 'seconds'],
    outcomes.map((one) => [one.matrix, one.name, one.trials, one.violations, boundOf(one), one.seconds]),
  )
  const apart = process.env.ROLLCALL_CHAOS_OUTCOME
  if (apart !== undefined) writeFileSync(apart, JSON.stringify(outcomes))
  return outcomes.every(({ violations }) => violations === 0) ? 0 : 1
}

async function runMutation(options: ChaosOptions): Promise<number> {
  const { mutant, seed } = options
  const chosen = mutant.length === 0 ? mutants : mutant.map(mutantNamed)
  say(`seed ${seed}: ${chosen.length} mutants`)
  const keep = (outcomes: readonly MutantOutcome[], controls: readonly MutantOutcome[]) => {
    const where = provenance(command, startedAt)
    return save(options, 'mutants', mutantsText(where, outcomes, controls), { ...where, seed, outcomes, controls })
  }
  const outcomes = await runMutants(chosen, { seed, say, done: (soFar) => keep(soFar, []) })
  const controls = await runControls(chosen, { seed, say, done: (soFar) => keep(outcomes, soFar) })
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

/** After each fault or mutant, so that a run that is cut short has left what it did. */
function save({ results }: ChaosOptions, name: string, text: string, data: unknown): void {
  if (results !== undefined) writeResults(results, name, text, data)
}

function say(line: string): void {
  console.log(`${new Date().toISOString().slice(11, 23)} ${line}`)
}
