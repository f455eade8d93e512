import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { toErrorFacts } from '@rollcall/errors'
import { createRandom } from '../random.js'
import type { Fault } from './fault.js'
import { faults } from './faults/all.js'
import type { Mutant } from './mutants/mutant.js'
import { problemsOf } from './run-faults.js'
import { openStage, type Stage } from './stage.js'

export interface MutantOutcome {
  readonly mutant: string
  readonly bug: string
  readonly fault: string
  /** Trials until it was caught, or all there were. */
  readonly trials: number
  readonly isCaught: boolean
  /** The invariants that spoke, with the number of violations of each. */
  readonly spoke: Readonly<Record<string, number>>
  readonly example: string
  readonly seconds: number
}

export interface MutantOptions {
  readonly seed: number
  readonly say: (line: string) => void
  /** Told after each with all so far, so that a run that is cut short has shown what it did. */
  readonly done: (outcomes: readonly MutantOutcome[]) => void
}

/** How often the fault is done again before a mutant counts as missed. */
const ROUNDS = 3

/** Seeds each bug into the services of a scene of its own, does the fault that shows it, and asks the checkers. */
export async function runMutants(
  mutants: readonly Mutant[],
  { seed, say, done }: MutantOptions,
): Promise<MutantOutcome[]> {
  const outcomes: MutantOutcome[] = []
  for (const mutant of mutants) {
    const outcome = await runMutant(mutant, seed, say)
    outcomes.push(outcome)
    say(
      `${outcome.isCaught ? 'caught' : 'MISSED'}: ${mutant.name} after ${outcome.trials} trials of ${mutant.fault}, ` +
        `${outcome.seconds} s; ${JSON.stringify(outcome.spoke)} ${outcome.example}`,
    )
    done(outcomes)
  }
  return outcomes
}

/** The same faults without a bug: what they find there would be a false alarm. */
export async function runControls(
  mutants: readonly Mutant[],
  { seed, say, done }: MutantOptions,
): Promise<MutantOutcome[]> {
  const used = new Map(mutants.map((mutant) => [mutant.fault, mutant]))
  const outcomes: MutantOutcome[] = []
  for (const { fault, trials } of used.values()) {
    const nothing = { name: 'none', bug: 'none', file: '', edits: [], fault, trials, caughtBy: [] }
    const outcome = await runMutant(nothing, seed, say, 1)
    outcomes.push(outcome)
    const isQuiet = Object.keys(outcome.spoke).length === 0
    say(
      `${isQuiet ? 'passes' : 'FALSE ALARM'}: no mutant, ${outcome.trials} trials of ${fault}, ${outcome.seconds} s; ${outcome.example}`,
    )
    done(outcomes)
  }
  return outcomes
}

async function runMutant(
  mutant: Mutant,
  seed: number,
  say: (line: string) => void,
  rounds = ROUNDS,
): Promise<MutantOutcome> {
  const fault = faults.find(({ name }) => name === mutant.fault) as Fault
  const startedAt = performance.now()
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-mutant-'))
  const note = join(folder, 'note')
  const isMutant = mutant.edits.length > 0
  const spoke: Record<string, number> = {}
  let example = ''
  let trials = 0
  let stage: Stage | undefined
  const hear = (problem: string) => {
    const [invariant = ''] = problem.split(' ')
    spoke[invariant] = (spoke[invariant] ?? 0) + 1
    if (
      example === '' ||
      (mutant.caughtBy.includes(invariant) && !mutant.caughtBy.includes(example.split(' ')[0] ?? ''))
    )
      example = problem
  }
  const isCaught = () => mutant.caughtBy.some((invariant) => (spoke[invariant] ?? 0) > 0)
  try {
    stage = await openStage({
      seed,
      counters: 1,
      say: () => {},
      ...(isMutant
        ? {
            env: { ROLLCALL_CHAOS_MUTANT: mutant.name, ROLLCALL_CHAOS_MUTANT_NOTE: note },
            nodeOptions: `--import ${new URL('preload/mutant-preload.js', import.meta.url).href}`,
          }
        : {}),
    })
    for (let round = 0; round < rounds && !isCaught(); round++) {
      const run = await fault.run(stage, { trials: mutant.trials, random: createRandom(seed + round), say })
      trials += run.trials
      for (const problem of run.problems) hear(`I12 ${problem}`)
      if (run.isSpoilt) break
      for (const problem of problemsOf(await stage.verdict(45_000, 10_000))) hear(problem)
    }
  } catch (error) {
    // A service that does not even come up with the bug in it tells nobody which invariant it breaks.
    hear(`broken ${toErrorFacts(error).message}`)
  } finally {
    await stage?.close()
  }
  if (isMutant && !existsSync(note)) hear('broken the mutant was never loaded')
  rmSync(folder, { recursive: true, force: true })
  return {
    ...{ mutant: mutant.name, bug: mutant.bug, fault: mutant.fault, trials, spoke, example },
    isCaught: isCaught(),
    seconds: Math.round((performance.now() - startedAt) / 1000),
  }
}
