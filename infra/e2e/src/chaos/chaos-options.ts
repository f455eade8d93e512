import { parseArgs } from 'node:util'
import { RollcallError } from '@rollcall/errors'
import { asGiven } from '../stack/repository.js'
import { faults } from './faults/all.js'

export interface ChaosOptions {
  /** Names of faults, in order. */
  readonly faults: readonly string[]
  readonly length: 'short' | 'long'
  /** Instead of each fault's own number. */
  readonly trials: number | undefined
  readonly seed: number
  readonly mutants: boolean
  /** Of these only; all when empty. */
  readonly mutant: readonly string[]
  /** No new fault is begun after so many minutes. */
  readonly minutes: number
  /** Folder for a dated results file; undefined writes none. */
  readonly results: string | undefined
}

export const chaosUsage = `usage: npm run chaos -- [options]

  --short               few trials of each fault: minutes, as in CI (the default is the long form: about an hour and a half)
  --fault <names>       only these, separated by commas: ${faults.map(({ name }) => name).join(', ')}
  --trials <n>          trials of each fault, instead of its own number
  --seed <n>            repeats the choices of an earlier run
  --minutes <n>         begins no further fault after so many minutes (150)
  --mutants             seeds each known bug into our own code and shows that the checkers catch it
  --mutant <names>      only these bugs
  --results <folder>    writes <date>-<form>.md and .json there (long form and --mutants: infra/e2e/results)
  --no-results          writes none

Everything listens on loopback, ends by itself, and kills only what it started.`

/** @throws ChaosOptionsInvalidError */
export function parseChaosOptions(args: readonly string[]): ChaosOptions | 'help' {
  const values = parse(args)
  if (values.help) return 'help'
  const chosen = names(values.fault)
  const unknown = chosen.find((name) => !faults.some((fault) => fault.name === name))
  if (unknown !== undefined) throw new ChaosOptionsInvalidError(`--fault ${unknown}: there is no such fault`)
  const mutant = names(values.mutant)
  const mutants = values.mutants || mutant.length > 0
  const length = values.short ? 'short' : 'long'
  // What is left out would be missing in the file of the day.
  const isWhole = mutants ? mutant.length === 0 : length === 'long' && chosen.length === 0
  const writes = !values['no-results'] && (values.results !== undefined || isWhole)
  return {
    faults: chosen.length > 0 ? chosen : faults.map(({ name }) => name),
    length,
    trials: values.trials === undefined ? undefined : whole('trials', values.trials, 1, 100_000),
    seed: whole('seed', values.seed, 0, 4_294_967_295),
    mutants,
    mutant,
    minutes: whole('minutes', values.minutes, 1, 1_440),
    results: writes ? (values.results === undefined ? resultsFolder : asGiven(values.results)) : undefined,
  }
}

const resultsFolder = new URL('../../results', import.meta.url).pathname

/** `ERR_CHAOS_OPTIONS_INVALID`: the command line was wrong; nothing was started. */
export class ChaosOptionsInvalidError extends RollcallError {
  constructor(problem: string) {
    super({ code: 'ERR_CHAOS_OPTIONS_INVALID', message: `${problem}\n\n${chaosUsage}` })
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        short: { type: 'boolean', default: false },
        fault: { type: 'string' },
        trials: { type: 'string' },
        seed: { type: 'string', default: String(Date.now() % 1_000_000) },
        minutes: { type: 'string', default: '150' },
        mutants: { type: 'boolean', default: false },
        mutant: { type: 'string' },
        results: { type: 'string' },
        'no-results': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values
  } catch (error) {
    throw new ChaosOptionsInvalidError((error as Error).message)
  }
}

const names = (text: string | undefined) => text?.split(',').filter(Boolean) ?? []

function whole(name: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= min && value <= max) return value
  throw new ChaosOptionsInvalidError(`--${name} ${text}: expected a whole number from ${min} to ${max}`)
}
