import { checkHistory } from './check-history.js'
import { asHistory, copyOf, type RecordedHistory } from './recorded-history.js'
import { type SeededFault, seededFaults } from './seeded-faults.js'

export interface FaultOutcome {
  readonly fault: SeededFault
  /** True when the rule named by the fault fired. */
  readonly caught: boolean
  /** Every rule that fired, with its count. */
  readonly fired: readonly string[]
}

export interface Proof {
  /** Violations found in the true history; anything but none means that the checker cries wolf. */
  readonly falseAlarms: readonly string[]
  readonly outcomes: readonly FaultOutcome[]
}

/** Seeds each known fault, one at a time, into a copy of a true history and checks it. */
export async function proveChecker(
  truth: RecordedHistory,
  faults: readonly SeededFault[] = seededFaults,
): Promise<Proof> {
  const outcomes: FaultOutcome[] = []
  for (const fault of faults) {
    const broken = copyOf(truth)
    fault.seed(broken)
    const fired = await rulesFired(broken)
    outcomes.push({ fault, fired, caught: fired.some((rule) => rule.startsWith(`${fault.invariant} ${fault.rule} x`)) })
  }
  return { falseAlarms: await rulesFired(truth), outcomes }
}

async function rulesFired(history: RecordedHistory): Promise<string[]> {
  const { violations } = await checkHistory(asHistory(history))
  return [...violations.byRule.values()].map(({ invariant, rule, count }) => `${invariant} ${rule} x${count}`)
}
