import { setTimeout as sleep } from 'node:timers/promises'
import type { ManagedProcess } from './managed-process.js'

export interface SuperviseOptions {
  /** One line for people: what died, what is done about it. */
  readonly report: (line: string) => void
  /** Called whenever the set of process ids has changed. */
  readonly onChange: () => void
  /** Wait before the first restart; doubled for each death that follows within a minute, up to ten seconds. @default 200 */
  readonly backOffMs?: number
}

const LONGEST_BACK_OFF_MS = 10_000
const CALM_MS = 60_000

/** Restarts each process that ends without having been stopped, until `stop` is called. */
export function supervise(
  processes: readonly ManagedProcess[],
  { report, onChange, backOffMs = 200 }: SuperviseOptions,
): { stop(): void } {
  let stopped = false

  async function revive(one: ManagedProcess, how: string, deaths: number): Promise<void> {
    const waitMs = Math.min(backOffMs * 2 ** deaths, LONGEST_BACK_OFF_MS)
    report(`${one.name} ${how}; restarting it in ${waitMs} ms`)
    onChange()
    await sleep(waitMs)
    if (stopped) return
    const startedAt = Date.now()
    try {
      await one.start()
      report(`${one.name} is back after ${Date.now() - startedAt} ms`)
      onChange()
    } catch (error) {
      if (!stopped) await revive(one, `did not start (${(error as Error).message})`, deaths + 1)
    }
  }

  for (const one of processes) {
    let deaths = 0
    let lastDeathAt = 0
    let reviving = false
    one.onExit(({ code, signal, ordered }) => {
      // A death during a revival is that revival's own failed attempt.
      if (stopped || ordered || reviving) return
      deaths = Date.now() - lastDeathAt > CALM_MS ? 0 : deaths + 1
      lastDeathAt = Date.now()
      reviving = true
      void revive(one, signal ? `was killed by ${signal}` : `exited with code ${code}`, deaths).finally(() => {
        reviving = false
      })
    })
  }
  return {
    stop() {
      stopped = true
    },
  }
}
