import { readFileSync, readlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import { readEndpoints } from '@rollcall/dev'
import { VictimForeignError } from '../e2e-errors.js'
import { repositoryRoot } from '../stack/repository.js'
import { until } from '../stack/until.js'

export const victimNames = ['registry', 'relay', 'directory', 'kafka', 'postgres'] as const
export type VictimName = (typeof victimNames)[number]

/** Something the drill can kill and see come back. */
export interface Victim {
  readonly name: string
  /** Sends SIGKILL to its process now. @throws VictimForeignError */
  kill(): Promise<void>
  /** Resolves when a new process is up and answers; rejects after a bound. */
  back(): Promise<void>
}

/** A process of a supervised stack: the supervisor starts it again and keeps its pid in the endpoints file. */
export function supervisedVictim(
  name: string,
  { endpointsPath, isReady, timeoutMs }: { endpointsPath: string; isReady: () => Promise<boolean>; timeoutMs: number },
): Victim {
  let killed: number | undefined
  const homes = [repositoryRoot, dirname(endpointsPath)]
  const pid = () => readEndpoints(endpointsPath).processes.find((process) => process.name === name)?.pid
  return {
    name,
    async kill() {
      const current = await until({ what: `${name} has a pid`, timeoutMs }, pid)
      if (!belongsTo(homes, current)) throw new VictimForeignError(name, current)
      process.kill(current, 'SIGKILL')
      killed = current
    },
    async back() {
      await until({ what: `${name} runs again`, timeoutMs }, () => {
        const current = pid()
        return current !== undefined && current !== killed && belongsTo(homes, current)
      })
      await until({ what: `${name} is ready again`, timeoutMs }, isReady)
    },
  }
}

/**
 * True when the process, or the supervisor that started it, is of this repository or of this stack: the file may be
 * old, and pids are reused. A database may live elsewhere, where its own account can reach it; its parent tells.
 */
function belongsTo(homes: readonly string[], pid: number): boolean {
  try {
    return isOf(homes, pid) || isOf(homes, parentOf(pid))
  } catch {
    return false
  }
}

function isOf(homes: readonly string[], pid: number): boolean {
  const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  if (commandLine === '') return false
  const folder = readlinkSync(`/proc/${pid}/cwd`)
  return homes.some((home) => commandLine.includes(home) || folder.startsWith(home))
}

/** Field 4 of proc(5) stat; the name before it stands in parentheses and may hold anything. */
function parentOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
}
