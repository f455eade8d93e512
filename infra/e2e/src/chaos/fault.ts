import type { Random } from '../random.js'
import type { Stage } from './stage.js'

/** What a fault's run has to say beside what the checker finds. */
export interface FaultRun {
  /** Independent times the fault was done and recovered from. */
  readonly trials: number
  /** What had to happen and did not: each counts as a violation. */
  readonly problems: readonly string[]
  /** How often each variety came, such as a crash point. */
  readonly varieties?: Readonly<Record<string, number>>
  /** The records are gone for good: there is nothing left to compare. */
  readonly isSpoilt?: true
}

export interface FaultContext {
  readonly trials: number
  readonly random: Random
  readonly say: (line: string) => void
}

/** One line of the fault matrix. */
export interface Fault {
  readonly name: string
  /** Its number in the matrix: F1 … */
  readonly matrix: string
  /** What is done to the system. */
  readonly does: string
  /** What must hold, beside the checker's invariants. */
  readonly expects: string
  readonly trials: { readonly short: number; readonly long: number }
  /**
   * `own`: in a scene of its own, in which nothing else is done afterwards. `own disk`: in a process of its own, see `runOnOwnDisk`.
   * @default 'shared'
   */
  readonly scene?: 'shared' | 'own' | 'own disk'
  /** Faults of one group, one after the other in the matrix, are done at the same time in the long form. */
  readonly group?: string
  /** Why it cannot be done on this machine; undefined when it can. */
  readonly impossible?: () => string | undefined
  run(stage: Stage, context: FaultContext): Promise<FaultRun>
}
