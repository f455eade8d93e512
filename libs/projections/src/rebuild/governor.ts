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
 * As congestion control does it (RFC 5681): the delay is looked at five times a second, and while nine tenths of the probes
 * and live transactions of the last second take no longer than twice what they took before the rebuild, it works more, else
 * less. It begins with little and doubles it until the first delay; from then on it adds a little and takes away a lot.
 * (At full speed from the start, one change in four waited 200 ms in the second before it was told.)
 */
export function governor(options: GovernorOptions): Governor {
  const { clock, probe } = options
  const closing = new AbortController()
  let duty = FIRST_DUTY
  let isClimbing = true
  let resting: Promise<void> | undefined
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
        const next = nextDuty(duty, delayMs, baselineMs, isClimbing)
        if (next < duty) isClimbing = false
        duty = next
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
      // One reads while another loads: both rest, or the load would fill the pauses of the reading.
      while (resting !== undefined) await resting
      const now = performance.now()
      if (now - lastTurn < TURN_MS) return
      // The event loop is shared with the live side: it gets its turn however much there is to do.
      await nextTurn()
      lastTurn = performance.now()
      const restMs = ((now - workedSince) * (1 - duty)) / duty
      if (restMs >= MIN_REST_MS) {
        resting = clock.wait(restMs, closing.signal)
        await resting
        resting = undefined
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
export function nextDuty(duty: number, delayMs: number, baselineMs: number, isClimbing: boolean): number {
  const allowedMs = Math.max(2 * baselineMs, baselineMs + SLACK_MS)
  if (delayMs > allowedMs) return Math.max(MIN_DUTY, duty * 0.75)
  return Math.min(1, isClimbing ? duty * 2 : duty + 0.05)
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
const FIRST_DUTY = 0.1
/** A change takes some fifteen turns of the event loop from the fetch to its commit, and each may wait so long. */
const TURN_MS = 0.5
const MIN_REST_MS = 2
