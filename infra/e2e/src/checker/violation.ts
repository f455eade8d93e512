/** The invariants of `infra/e2e/README.md`; G8 is the audit guarantee of the design. */
export type Invariant = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'G8' | 'I11'

export interface Violation {
  readonly invariant: Invariant
  /** What was broken, as a short constant text: the table counts by it. */
  readonly rule: string
  readonly userId?: string
  /** Versions, offsets, ids and field names: enough to look it up by hand. No personal data. */
  readonly evidence: Readonly<Record<string, unknown>>
}

export interface Violations {
  add(invariant: Invariant, rule: string, userId: string | undefined, evidence?: Record<string, unknown>): void
  readonly total: number
  readonly byRule: ReadonlyMap<string, { readonly invariant: Invariant; readonly rule: string; readonly count: number }>
  /** The first few of each rule. */
  readonly samples: readonly Violation[]
}

/** Counts every violation and keeps the first `samplesPerRule` of each rule, so that a total loss still fits in memory. */
export function createViolations(samplesPerRule = 20): Violations {
  const byRule = new Map<string, { invariant: Invariant; rule: string; count: number }>()
  const samples: Violation[] = []
  let total = 0
  return {
    add(invariant, rule, userId, evidence = {}) {
      total++
      const known = byRule.get(`${invariant} ${rule}`) ?? { invariant, rule, count: 0 }
      known.count++
      byRule.set(`${invariant} ${rule}`, known)
      if (known.count <= samplesPerRule) samples.push({ invariant, rule, ...(userId ? { userId } : {}), evidence })
    },
    get total() {
      return total
    },
    byRule,
    samples,
  }
}
