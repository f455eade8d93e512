/**
 * The rule of three: when none of n independent trials went wrong, the chance of one that does is below 3/n, with 95 %
 * confidence. A statement about these trials in this setting, never "no loss".
 */
export function upperBound(trials: number): number {
  return trials === 0 ? 1 : Math.min(1, 3 / trials)
}

export const percent = (share: number) =>
  share >= 0.1 ? `${Math.round(share * 100)} %` : `${Number((share * 100).toPrecision(2))} %`
