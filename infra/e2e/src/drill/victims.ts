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

/** True when the process was started from this repository or for this stack: the file may be old, and pids are reused. */
function belongsTo(homes: readonly string[], pid: number): boolean {
  try {
    const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    if (commandLine === '') return false
    const folder = readlinkSync(`/proc/${pid}/cwd`)
    return homes.some((home) => commandLine.includes(home) || folder.startsWith(home))
  } catch {
    return false
  }
}
