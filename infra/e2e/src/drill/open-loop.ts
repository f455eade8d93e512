import { setTimeout as sleep } from 'node:timers/promises'

/** Work begun at an even pace, whatever it takes. */
export interface OpenLoop {
  readonly isStopped: boolean
  /** Counts further work among what is under way. */
  add(work: Promise<unknown>): void
  /** Resolves when what is under way now has ended. */
  settled(): Promise<void>
  /** Begins nothing more, and waits for what is under way. */
  stop(): Promise<void>
}

/** @param begin is given the number of the work, from 1 */
export function openLoop(perSecond: number, begin: (number: number) => Promise<unknown>): OpenLoop {
  const running = new Set<Promise<void>>()
  let isStopped = false

  function add(work: Promise<unknown>): void {
    const one = work.then(() => void running.delete(one))
    running.add(one)
  }
  const settled = async () => void (await Promise.all(running))

  const beginning = (async () => {
    const startedAt = performance.now()
    let begun = 0
    while (!isStopped) {
      const due = ((performance.now() - startedAt) * perSecond) / 1_000
      while (begun < due) add(begin(++begun))
      await sleep(2)
    }
  })()

  return {
    get isStopped() {
      return isStopped
    },
    add,
    settled,
    async stop() {
      isStopped = true
      await beginning
      await settled()
    },
  }
}
