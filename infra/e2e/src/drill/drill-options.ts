import { parseArgs } from 'node:util'
import { RollcallError } from '@rollcall/errors'
import { asGiven } from '../stack/repository.js'
import { type VictimName, victimNames } from './victims.js'

export interface DrillOptions {
  readonly users: number
  readonly kills: number
  readonly victims: readonly VictimName[]
  readonly idleTransaction: boolean
  readonly rebuild: boolean
  /** Changes a second beside the rebuild. */
  readonly changes: number
  readonly pairs: number
  readonly twoDirectories: boolean
  readonly seed: number
  /** Endpoints file of a running, supervised stack; undefined: a stack of its own. */
  readonly endpoints: string | undefined
}

export const drillUsage = `usage: npm run drill -w infra/e2e -- [options]

  --users <n>           users to import (100000)
  --kills <n>           kills of each victim (10)
  --victims <names>     of ${victimNames.join(',')} (all)
  --two-directories     a second directory joins, is killed, and joins again meanwhile
  --idle-transaction    measure instead of kill: the import with and without an open writing transaction
  --rebuild             rebuild the directory instead, beside changes and readers: equality, kill -9, roll-back
  --changes <n>         changes a second with --rebuild (200)
  --pairs <n>           measured pairs of runs with --idle-transaction (5)
  --seed <n>            repeats the moments of an earlier drill
  --endpoints <file>    use this running stack, such as .rollcall/endpoints.json of npm start; its data grows
                        (default: a stack of its own, thrown away afterwards)`

/** @throws DrillOptionsInvalidError */
export function parseDrillOptions(args: readonly string[]): DrillOptions | 'help' {
  const { values } = parse(args)
  if (values.help) return 'help'
  const victims = values.victims.split(',').filter(Boolean)
  const unknown = victims.find((name) => !victimNames.includes(name as VictimName))
  if (unknown) throw new DrillOptionsInvalidError(`--victims ${unknown}: expected some of ${victimNames.join(',')}`)
  return {
    users: whole('users', values.users, 1, 1_000_000),
    kills: whole('kills', values.kills, 0, 1000),
    victims: victims as VictimName[],
    idleTransaction: values['idle-transaction'],
    rebuild: values.rebuild,
    changes: whole('changes', values.changes, 1, 1000),
    pairs: whole('pairs', values.pairs, 1, 50),
    twoDirectories: values['two-directories'],
    seed: whole('seed', values.seed, 0, 4_294_967_295),
    endpoints: values.endpoints === undefined ? undefined : asGiven(values.endpoints),
  }
}

/** `ERR_DRILL_OPTIONS_INVALID`: the command line was wrong; nothing was started. */
export class DrillOptionsInvalidError extends RollcallError {
  constructor(problem: string) {
    super({ code: 'ERR_DRILL_OPTIONS_INVALID', message: `${problem}\n\n${drillUsage}` })
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        users: { type: 'string', default: '100000' },
        kills: { type: 'string', default: '10' },
        victims: { type: 'string', default: victimNames.join(',') },
        'idle-transaction': { type: 'boolean', default: false },
        rebuild: { type: 'boolean', default: false },
        changes: { type: 'string', default: '200' },
        pairs: { type: 'string', default: '5' },
        'two-directories': { type: 'boolean', default: false },
        seed: { type: 'string', default: String(Date.now() % 1_000_000) },
        endpoints: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    throw new DrillOptionsInvalidError((error as Error).message)
  }
}

function whole(name: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= min && value <= max) return value
  throw new DrillOptionsInvalidError(`--${name} ${text}: expected a whole number from ${min} to ${max}`)
}
