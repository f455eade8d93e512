import { setTimeout as sleep } from 'node:timers/promises'
import { cureFor, lastErrorIn } from './last-error.js'
import type { ManagedProcess } from './managed-process.js'

export interface SuperviseOptions {
  /** One line for people: what died, what is done about it. */
  readonly report: (line: string) => void
  /** Called whenever the set of process ids has changed. */
  readonly onChange: () => void
  /** Told of a process that is not started any more, with the reason and what to do. @default reports it */
  readonly onGivenUp?: (one: ManagedProcess, why: string) => void
  /** Wait before the first restart; doubled while it keeps dying within five seconds, up to ten seconds. @default 200 */
  readonly backOffMs?: number
}

const LONGEST_BACK_OFF_MS = 10_000
const CALM_MS = 5_000
const READY_POLL_MS = 50
const VAIN_STARTS = 5

/** How one run of a process came to its end. */
interface Ending {
  readonly how: string
  readonly wasReady: boolean
  readonly wasCalm: boolean
}

/**
 * Restarts each process that ends without having been stopped, until `stop` is called. One that ends five times in a row
 * before it was ready has something that no restart mends: it stays down.
 */
export function supervise(
  processes: readonly ManagedProcess[],
  { report, onChange, onGivenUp = (_, why) => report(why), backOffMs = 200 }: SuperviseOptions,
): { stop(): void } {
  let stopped = false

  async function keep(one: ManagedProcess): Promise<void> {
    let vainStarts = 0
    let quickEnds = 0
    let ending = await runOf(one, () => {})
    while (!stopped) {
      vainStarts = ending.wasReady ? 0 : vainStarts + 1
      quickEnds = ending.wasCalm ? 0 : quickEnds + 1
      if (vainStarts === VAIN_STARTS) {
        report(`${one.name} ${ending.how}`)
        onGivenUp(one, whyGivenUp(one))
        onChange()
        return
      }
      const waitMs = Math.min(backOffMs * 2 ** quickEnds, LONGEST_BACK_OFF_MS)
      report(`${one.name} ${ending.how}; starting it again in ${waitMs} ms`)
      onChange()
      await sleep(waitMs)
      if (stopped) return
      // Stopped while it was down: whoever starts it next has it watched again.
      ending = await (one.isWanted ? startAgain(one) : runOf(one, () => {}))
    }
  }

  async function startAgain(one: ManagedProcess): Promise<Ending> {
    const startedAt = Date.now()
    try {
      await one.start()
    } catch (error) {
      return { how: `did not start: ${(error as Error).message}`, wasReady: false, wasCalm: false }
    }
    if (!stopped) onChange()
    return runOf(one, () => report(`${one.name} is back after ${Date.now() - startedAt} ms`))
  }

  /** Resolves when a process that runs now ends; what happens during a start is the business of that start. */
  function runOf(one: ManagedProcess, onReady: () => void): Promise<Ending> {
    const since = Date.now()
    let wasReady = false
    let isOver = false
    const watch = async () => {
      while (!stopped && !isOver) {
        if ((await one.whyNotReady()) === undefined) {
          if (isOver || stopped) return
          wasReady = true
          return onReady()
        }
        await sleep(READY_POLL_MS)
      }
    }
    void watch()
    return new Promise((resolve) => {
      endingOf.set(one, (how) => {
        endingOf.delete(one)
        isOver = true
        resolve({ how, wasReady, wasCalm: Date.now() - since > CALM_MS })
      })
    })
  }

  const endingOf = new Map<ManagedProcess, (how: string) => void>()
  for (const one of processes) {
    one.onExit(({ code, signal, ordered }) => {
      if (!ordered) endingOf.get(one)?.(signal ? `was killed by ${signal}` : `exited with code ${code}`)
    })
    void keep(one)
  }
  return {
    stop() {
      stopped = true
    },
  }
}

function whyGivenUp({ name, logFile }: ManagedProcess): string {
  const error = lastErrorIn(logFile)
  return [
    `${name} is not started again: ${VAIN_STARTS} starts in a row ended before it was ready.`,
    error === undefined ? 'It wrote nothing.' : `Its last error: ${error}`,
    `Its log: ${logFile}`,
    cureFor(error) ?? 'Mend the cause, then stop everything with Ctrl-C and start it again.',
  ].join('\n  ')
}
