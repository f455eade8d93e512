import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../random.js'
import type { PacedImport } from './paced-import.js'
import type { Victim } from './victims.js'

export interface Recovery {
  readonly victim: string
  /** SIGKILL until a new process is up and ready. */
  readonly recoverMs: number
}

export interface KillDrillOptions {
  readonly victims: readonly Victim[]
  readonly killsPerVictim: number
  readonly users: number
  readonly importing: PacedImport
  readonly random: Random
  /** Called before the kill of this number, from 0. */
  readonly beforeKill?: (kill: number, ofKills: number) => Promise<void>
  readonly report: (line: string) => void
}

/** About as long as the command and the registry need for the lines that are on their way. */
const STRIKE_WITHIN_MS = 250

/**
 * Kills each victim in turn, at random moments of the import, and waits until it is back before the next.
 *
 * The import is handed over in as many portions as there are kills: a random part of each before the kill, so that it
 * strikes while users are written, and the rest while the victim is away.
 */
export async function killDuringImport(options: KillDrillOptions): Promise<Recovery[]> {
  const { victims, killsPerVictim, users, importing, random, beforeKill, report } = options
  const kills = victims.length * killsPerVictim
  const portion = Math.ceil(users / (kills + 1))
  const recoveries: Recovery[] = []
  for (let kill = 0; kill < kills; kill++) {
    await beforeKill?.(kill, kills)
    const victim = victims[kill % victims.length] as Victim
    const before = random.between(1, portion)
    await importing.feed(before)
    await sleep(random.between(0, STRIKE_WITHIN_MS))
    const killedAt = performance.now()
    await victim.kill()
    const rest = importing.feed(portion - before)
    await victim.back()
    const recoverMs = Math.round(performance.now() - killedAt)
    await rest
    recoveries.push({ victim: victim.name, recoverMs })
    report(`kill ${kill + 1} of ${kills}: ${victim.name} was back after ${recoverMs} ms`)
  }
  return recoveries
}
