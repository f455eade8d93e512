import type { ProjectedEvent } from '../define-projection.js'
import { type ApplyOptions, applyWork, isReplay, type Outcome, transact, type Work } from './apply-records.js'

export interface TogetherOptions<E extends ProjectedEvent, Tx> extends ApplyOptions<E, Tx> {
  /** Transactions at the same time. */
  readonly concurrency: number
  /** Most events in one transaction. */
  readonly maxEventsPerTransaction: number
}

/**
 * Brings the work of several partitions into one transaction: what arrives while the transactions allowed are running
 * waits, and goes together into the next. At 1,000 changes/s over 12 partitions a transaction per partition spent the
 * machine on round trips and commits (bench `latency`).
 *
 * This is the way while nothing goes wrong. When anything does, each partition is applied by itself, with its own retries,
 * and only that tells which one is in trouble.
 */
export function applyTogether<E extends ProjectedEvent, Tx>(
  options: TogetherOptions<E, Tx>,
): (work: Work<E>) => Promise<Outcome> {
  const { concurrency, maxEventsPerTransaction, clock } = options
  const waiting: Waiting<E>[] = []
  let running = 0
  let isStarting = false

  // Once per turn of the event loop, so that all partitions of one fetch are there.
  function startSoon(): void {
    if (isStarting) return
    isStarting = true
    clock.soon(() => {
      isStarting = false
      while (running < concurrency && waiting.length > 0) {
        running++
        void run(takeNext()).finally(() => {
          running--
          startSoon()
        })
      }
    })
  }

  function takeNext(): Waiting<E>[] {
    let events = 0
    let count = 0
    for (const { work } of waiting) {
      events += work.items.length
      if (count > 0 && events > maxEventsPerTransaction) break
      count++
    }
    return waiting.splice(0, count)
  }

  async function run(group: readonly Waiting<E>[]): Promise<void> {
    if (group.length === 1) return alone(group[0] as Waiting<E>)
    const fresh = group.filter(({ work }) => isOurs(work))
    const works = fresh.map(({ work }) => work)
    // Each alone will meet the error again, and deal with it; holding no place here, because it may retry for long.
    // What is done after a commit is done for all of it or for none.
    const isMixed = works.some(isReplay) && !works.every(isReplay)
    const isDone =
      !isMixed &&
      (await transact(works, options).then(
        () => true,
        () => false,
      ))
    for (const one of group) {
      if (isDone && fresh.includes(one)) one.resolve({ end: 'applied' })
      else void alone(one)
    }
  }

  const alone = ({ work, resolve, reject }: Waiting<E>) => applyWork(work, options).then(resolve, reject)

  const isOurs = ({ held, batch, to }: Work<E>) => !batch.isStale() && to > held.claim.position

  return (work) =>
    new Promise((resolve, reject) => {
      waiting.push({ work, resolve, reject })
      startSoon()
    })
}

interface Waiting<E> {
  readonly work: Work<E>
  readonly resolve: (outcome: Outcome) => void
  readonly reject: (error: unknown) => void
}
