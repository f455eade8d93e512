/** The middle value; the mean of the two middle ones for an even count. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** Linear interpolation between closest ranks; `p` from 0 to 1. */
export function quantile(values: readonly number[], p: number): number {
  if (values.length === 0) return Number.NaN
  const sorted = [...values].sort((a, b) => a - b)
  const rank = (sorted.length - 1) * p
  const low = sorted[Math.floor(rank)] as number
  const high = sorted[Math.ceil(rank)] as number
  return low + (high - low) * (rank - Math.floor(rank))
}

export type Rounds<Name extends string> = Readonly<Record<Name, readonly number[]>>

/**
 * Runs each variant once per round, in an order that rotates from round to round, and keeps all figures.
 * Interleaving matters more than repetition here: the machine is shared, and its mood lasts for seconds.
 */
export async function interleave<Name extends string>(
  rounds: number,
  variants: Readonly<Record<Name, (round: number) => Promise<number>>>,
): Promise<Rounds<Name>> {
  const names = Object.keys(variants) as Name[]
  const figures = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(turn + round) % names.length] as Name
      figures[name].push(await variants[name](round))
    }
  }
  return figures
}

/** Median over rounds of `a / b`, each pair taken from the same round. */
export function pairedRatio(a: readonly number[], b: readonly number[]): number {
  return median(a.map((value, round) => value / (b[round] as number)))
}

/** Calls `work` `count` times with `width` calls in flight; answers calls per second and each call's milliseconds. */
export async function saturate(
  count: number,
  width: number,
  work: (index: number) => Promise<unknown>,
): Promise<{ readonly perSecond: number; readonly latenciesMs: readonly number[] }> {
  const latenciesMs: number[] = new Array(count)
  let next = 0
  const startedAt = performance.now()
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (next < count) {
        const index = next++
        const before = performance.now()
        await work(index)
        latenciesMs[index] = performance.now() - before
      }
    }),
  )
  return { perSecond: count / ((performance.now() - startedAt) / 1000), latenciesMs }
}
