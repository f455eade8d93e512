import type { Edit } from './patch.js'

/** A known bug, seeded into a compiled file of ours while a service loads it. */
export interface Mutant {
  readonly name: string
  /** What a programmer would have got wrong. */
  readonly bug: string
  /** The compiled file, from the root of the repository. */
  readonly file: string
  readonly edits: readonly Edit[]
  /** The fault that shows it. */
  readonly fault: string
  readonly trials: number
  /** Invariants of the checker, or `I12` for what did not happen, of which at least one must speak. */
  readonly caughtBy: readonly string[]
}
