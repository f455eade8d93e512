import { setTimeout as sleep } from 'node:timers/promises'
import type { ManagedProcess } from './managed-process.js'

export interface SuperviseOptions {
  /** One line for people: what died, what is done about it. */
  readonly report: (line: string) => void
  /** Called whenever the set of process ids has changed. */
  readonly onChange: () => void
  /** Wait before the first restart; doubled while it keeps dying within five seconds, up to ten seconds. @default 200 */
  readonly backOffMs?: number
}

const LONGEST_BACK_OFF_MS = 10_000
const CALM_MS = 5_000

/** Restarts each process that ends without having been stopped, until `stop` is called. */
export function supervise(
  processes: readonly ManagedProcess[],
  { report, onChange, backOffMs = 200 }: SuperviseOptions,
): { stop(): void } {
  let stopped = false

  function keep(one: ManagedProcess): void {
    let deaths = 0
    let upSince = Date.now()
    let reviving = false

    function died(how: string): void {
      // A death during a revival is that revival's own failed attempt.
      if (stopped || reviving) return
      deaths = Date.now() - upSince > CALM_MS ? 0 : deaths + 1
      reviving = true
      void revive(how).finally(() => {
        reviving = false
        upSince = Date.now()
        // Killed in the moment between its start and this line.
        if (one.pid === undefined) died('died again')
      })
    }

    async function revive(how: string): Promise<void> {
      let what = how
      for (; !stopped; deaths++) {
        const waitMs = Math.min(backOffMs * 2 ** deaths, LONGEST_BACK_OFF_MS)
        report(`${one.name} ${what}; starting it again in ${waitMs} ms`)
        onChange()
        await sleep(waitMs)
        if (stopped) return
        const startedAt = Date.now()
        try {
          await one.start()
          report(`${one.name} is back after ${Date.now() - startedAt} ms`)
          onChange()
          return
        } catch (error) {
          what = `did not start: ${(error as Error).message}`
        }
      }
    }

    one.onExit(({ code, signal, ordered }) => {
      if (!ordered) died(signal ? `was killed by ${signal}` : `exited with code ${code}`)
    })
  }

  for (const one of processes) keep(one)
  return {
    stop() {
      stopped = true
    },
  }
}
