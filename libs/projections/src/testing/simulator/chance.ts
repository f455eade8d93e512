/** Chance that repeats itself: equal seeds, equal draws. */
export interface Chance {
  /** A whole number from 0 to `bound - 1`. */
  below(bound: number): number
  /** True once in `n` times. */
  oneIn(n: number): boolean
  pick<T>(items: readonly T[]): T
}

export function chance(seed: number): Chance {
  let state = seed | 0
  const below = (bound: number) => {
    state = (state + 0x6d2b79f5) | 0
    return Math.floor((mixed(state) / 2 ** 32) * bound)
  }
  return {
    below,
    oneIn: (n) => below(n) === 0,
    pick(items) {
      if (items.length === 0) throw new RangeError('nothing to pick from')
      return items[below(items.length)] as (typeof items)[number]
    },
  }
}

/** One draw that belongs to a place and not to a turn: what is left out elsewhere does not change it. 32 bits. */
export function drawAt(seed: number, a: number, b: number): number {
  return mixed(Math.imul(seed ^ Math.imul(a + 1, 0x9e3779b1), 0x85ebca6b) + Math.imul(b + 1, 0xc2b2ae35))
}

// The finalizer of mulberry32.
function mixed(value: number): number {
  let t = Math.imul(value ^ (value >>> 15), value | 1)
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
  return (t ^ (t >>> 14)) >>> 0
}
