import type { Verdict } from '../checker/check-history.js'

/** What became of one fault. */
export interface FaultOutcome {
  readonly name: string
  readonly matrix: string
  readonly does: string
  readonly expects: string
  readonly trials: number
  readonly violations: number
  /** What went wrong, a line each: rules of the checker with their counts, and what did not happen. */
  readonly problems: readonly string[]
  readonly varieties: Readonly<Record<string, number>>
  readonly seconds: number
  /** What the checker looked at after it; undefined when it was not tried. */
  readonly counts: Verdict['counts'] | undefined
  /** Why it was not tried. */
  readonly skipped?: string
}

export interface RunOptions {
  readonly length: 'short' | 'long'
  readonly trials?: number | undefined
  readonly seed: number
  readonly minutes: number
  readonly say: (line: string) => void
  /** Told after each, so that a run that is cut short has shown what it did. */
  readonly done: (outcome: FaultOutcome) => void
}
