import type { Comparison } from './compare-sides.js'

/** How a rebuild is to end. */
export interface RebuildRequest {
  /**
   * `when-equal`: cut over when the new side is proven equal to the live one; with differences it is kept beside it and
   * waits for an operator. `always`: cut over and report the differences. @default 'when-equal'
   */
  readonly cutOver?: 'when-equal' | 'always'
  /** How long the old side is kept following after the cut-over, so that a roll-back is one step. @default one hour */
  readonly keepMs?: number
}

/** What a comparison of the new side with the live one, at one and the same position, has shown. */
export interface Proof extends Comparison {
  readonly tookMs: number
  /** Users parked on either side: they are not compared. */
  readonly parkedLive: number
  readonly parkedNext: number
  /** Partition to the position at which both sides were compared. */
  readonly positions: Readonly<Record<string, number>>
}

export interface RebuildProgress {
  /**
   * `fold`: the last states are loaded beside the live table; `shadow`: the handlers fill tables beside the live ones;
   * `replay`: the read model is emptied and everything applied again.
   */
  readonly kind: 'fold' | 'shadow' | 'replay'
  readonly phase: 'reading' | 'indexing' | 'catching up' | 'proving' | 'cutting over' | 'built' | 'done' | 'failed'
  /** Records read or applied so far, of `total`. */
  readonly events: number
  readonly total: number
  readonly startedAt: string
  readonly finishedAt?: string
  readonly instance: string
  /** Why it failed; or, when it is built, why it was not cut over. */
  readonly error?: string
  /** Replay only: it is done when every partition has reached its target. */
  readonly targets?: Readonly<Record<string, number>>
  readonly request?: RebuildRequest
  readonly proof?: Proof
  /** Why the sides were not compared. */
  readonly unproven?: string
  /** Share of the time the filling works, as live traffic lets it. */
  readonly duty?: number
}

/** True when nobody works at it any more. */
export const hasEnded = ({ phase }: Pick<RebuildProgress, 'phase'>): boolean =>
  phase === 'done' || phase === 'failed' || phase === 'built'

export const HOUR_MS = 3_600_000
