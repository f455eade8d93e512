import { printTable } from '../print-table.js'
import type { Verdict } from './check-history.js'
import type { Invariant } from './violation.js'

/** What each invariant says, in the order of the table. */
export const invariants: ReadonlyMap<Invariant, string> = new Map([
  ['I1', 'every committed change is on the topic, and in the outbox (G1)'],
  ['I2', 'nothing is on the topic that was not committed (G1)'],
  ['I3', 'per user: one partition, no gap, no inversion; duplicates equal their original (G2)'],
  ['I4', 'the read model and its versions equal the registry, field by field'],
  ['I5', 'every effect happened exactly once (G3)'],
  ['I11', 'what a client was answered is true (G6)'],
  ['G8', 'every change has exactly one audit entry'],
])

/** Prints what was looked at, then the violations of each invariant with samples. */
export function printVerdict({ counts, violations }: Verdict): void {
  printTable(
    ['looked at', 'number'],
    [
      ['users in the registry', counts.users],
      ['committed changes', counts.changes],
      ['outbox rows', counts.outboxRows],
      ['audit entries', counts.auditEntries],
      ['records on the topic', counts.records],
      ['  duplicates among them', counts.duplicates],
      ['  of these old after new', counts.oldAfterNew],
      ['people in the directory', counts.people],
      ['rows of consumers', counts.consumerRows],
      ['journalled requests', counts.journalled],
    ],
  )
  console.log()
  printTable(
    ['', 'invariant', 'violations'],
    [...invariants].map(([invariant, meaning]) => [
      invariant,
      meaning,
      [...violations.byRule.values()].reduce((sum, rule) => sum + (rule.invariant === invariant ? rule.count : 0), 0),
    ]),
  )
  if (violations.total === 0) return
  console.log()
  printTable(
    ['', 'violation', 'count', 'for example'],
    [...violations.byRule.values()].map(({ invariant, rule, count }) => {
      const sample = violations.samples.find((one) => one.invariant === invariant && one.rule === rule)
      return [invariant, rule, count, `${sample?.userId ?? ''} ${JSON.stringify(sample?.evidence ?? {})}`]
    }),
  )
}
