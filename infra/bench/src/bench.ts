import type { BenchStack } from './bench-stack.js'

export interface BenchContext {
  readonly stack: BenchStack
  /** Rounds each variant is measured; variants take turns inside a round, so that they share the machine's moods. */
  readonly rounds: number
  /** Shrinks row counts for a quick look; figures of record use 1. */
  readonly scale: number
  readonly log: (line: string) => void
}

/** One line of the table: a figure, what it is held against (measured in the same run), and what we ask of it. */
export interface Result {
  readonly bench: string
  readonly value: number
  /** What the value is divided by; absent where the ask is absolute. */
  readonly ceiling?: number
  /** Median over rounds of value / ceiling of the same round. */
  readonly ratio?: number
  readonly unit: string
  /** What the ceiling or rival is. */
  readonly against?: string
  /** The ask, and whether it holds. */
  readonly ask?: { readonly text: string; readonly holds: boolean }
  readonly note?: string
}

export interface Bench {
  readonly name: string
  readonly about: string
  run(context: BenchContext): Promise<readonly Result[]>
}
