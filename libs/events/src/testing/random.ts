/** A source of chance that repeats itself: equal seeds, equal values. Not for secrets. */
export interface Random {
  /** A whole number from 0 to `bound - 1`. */
  below(bound: number): number
  pick<T>(items: readonly [T, ...T[]] | readonly T[]): T
  uuidv7(timeMs: number): string
  /** A number of the range 0100-0199, which belongs to nobody. */
  phone(): string
}

/** A linear congruential generator whose high bits are folded into the low ones; plenty for test data. */
export function random(seed: number): Random {
  let state = seed | 0
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    return Math.imul(state ^ (state >>> 16), 0x2c9277b5) >>> 0
  }
  const below = (bound: number) => Math.floor((next() / 2 ** 32) * bound)
  const hex = (digits: number) => {
    let text = ''
    while (text.length < digits) text += next().toString(16).padStart(8, '0')
    return text.slice(0, digits)
  }
  return {
    below,
    pick(items) {
      const item = items[below(items.length)]
      if (item === undefined) throw new RangeError('nothing to pick from')
      return item
    },
    uuidv7(timeMs) {
      const time = timeMs.toString(16).padStart(12, '0')
      const variant = (8 + below(4)).toString(16)
      return `${time.slice(0, 8)}-${time.slice(8)}-7${hex(3)}-${variant}${hex(3)}-${hex(12)}`
    },
    phone: () => `+1555555${String(100 + below(100)).padStart(4, '0')}`,
  }
}
