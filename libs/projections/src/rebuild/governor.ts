import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '../clock.js'

/** Sets the speed of a rebuild by what it does to those who live on the same database and in the same process. */
export interface Governor {
  /** Told how long a transaction of the live side took. */
  lived(ms: number): void
  /** Lets others have their turn, and rests in proportion to the work done since the last call. */
  pace(): Promise<void>
  /** Share of the time it works now, from 0 to 1. */
  duty(): number
  close(): Promise<void>
}

export interface GovernorOptions {
  readonly clock: Clock
  /** A question to the database that costs nothing but the way there: its delay is what others feel too. */
  readonly probe: () => Promise<unknown>
  /** The delay from before the rebuild, in milliseconds. @default measured by the first probes */
  readonly baselineMs?: number
}

/**
 * Additive increase, multiplicative decrease, as in congestion control: the delay is looked at five times a second, and
 * while nine tenths of the probes and live transactions of the last second take no longer than twice what they took before
 * the rebuild, it works more, else less.
 */
export function governor(options: GovernorOptions): Governor {
  const { clock, probe } = options
  const closing = new AbortController()
  let duty = 1
  let workedSince = performance.now()
  let lastTurn = workedSince
  let samples: { readonly at: number; readonly ms: number }[] = []
  let baselineMs = options.baselineMs
  let calm = () => {}
  const calmed = new Promise<void>((resolve) => {
    calm = resolve
  })

  const add = (ms: number) => samples.push({ at: clock.now(), ms })

  async function watch(): Promise<void> {
    for (let looks = 0; !closing.signal.aborted; looks++) {
      const startedAt = performance.now()
      // A database that is away is the rebuild's own trouble, soon enough.
      await probe().catch(() => {})
      add(performance.now() - startedAt)
      samples = samples.filter(({ at }) => at > clock.now() - WINDOW_MS)
      if (looks % LOOKS_PER_DECISION === LOOKS_PER_DECISION - 1) {
        const delayMs = ninth(samples.map(({ ms }) => ms))
        baselineMs ??= delayMs
        duty = nextDuty(duty, delayMs, baselineMs)
        calm()
      }
      await clock.wait(PROBE_EVERY_MS, closing.signal)
    }
  }
  const watching = watch()

  return {
    lived: add,
    duty: () => duty,
    async pace() {
      if (baselineMs === undefined) {
        // Nothing is done before it is known how it was without it.
        await calmed
        workedSince = performance.now()
      }
      const now = performance.now()
      if (now - lastTurn < TURN_MS) return
      // The event loop is shared with the live side: it gets its turn however much there is to do.
      await nextTurn()
      lastTurn = performance.now()
      const restMs = ((now - workedSince) * (1 - duty)) / duty
      if (restMs >= MIN_REST_MS) {
        await clock.wait(restMs, closing.signal)
        lastTurn = performance.now()
        workedSince = lastTurn
      } else if (duty === 1) workedSince = lastTurn
    },
    async close() {
      closing.abort()
      calm()
      await watching
    },
  }
}

/** The share of time to work next, given the delay now and the one from before. */
export function nextDuty(duty: number, delayMs: number, baselineMs: number): number {
  const allowedMs = Math.max(2 * baselineMs, baselineMs + SLACK_MS)
  return delayMs > allowedMs ? Math.max(MIN_DUTY, duty * 0.75) : Math.min(1, duty + 0.05)
}

/** The value that nine tenths stay below. */
function ninth(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length * 0.9)] ?? 0
}

const WINDOW_MS = 1_000
const PROBE_EVERY_MS = 40
const LOOKS_PER_DECISION = 5
/** A local query takes less than a millisecond: twice that would be no measure. */
const SLACK_MS = 4
const MIN_DUTY = 0.05
const TURN_MS = 2
const MIN_REST_MS = 2
