/** What a decision needs of a record. */
export interface VersionedRecord {
  /** Undefined when the record names no user. */
  readonly userId: string | undefined
  /** NaN when the record names none. */
  readonly version: number
  /** Why the handler must not see it: it cannot be read, or the handler failed on it. */
  readonly failure?: unknown
}

/** What to do with one record of a batch. */
export type Verdict =
  | { readonly act: 'apply' }
  /** Applied before: a redelivery, a replay or a republished event. */
  | { readonly act: 'skip' }
  /**
   * Kept aside. `failed` and `gap` park its user; `behind`: its user is parked already.
   * A gap: events of this user are missing between the known version and this one.
   */
  | { readonly act: 'park'; readonly cause: 'failed' | 'gap' | 'behind'; readonly knownVersion: number }

export interface Decision {
  /** One per record, in the order of the batch. */
  readonly verdicts: readonly Verdict[]
  /** The version each touched user has once the events to apply are applied. */
  readonly versions: ReadonlyMap<string, number>
  /** The users this batch parks. */
  readonly parks: ReadonlySet<string>
}

/**
 * Decides a batch of one partition from the versions the database knows and the users it has parked: pure, so that every
 * order of events can be tried.
 *
 * A user whose version the database does not know is at 0, because versions start at 1. An event that cannot be applied
 * parks its user, and whatever follows of that user is kept behind it; everybody else flows.
 */
export function decide(
  batch: readonly VersionedRecord[],
  knownVersions: ReadonlyMap<string, number>,
  parked: ReadonlySet<string> = new Set(),
): Decision {
  const verdicts: Verdict[] = []
  const versions = new Map<string, number>()
  const parks = new Set<string>()
  for (const { userId, version, failure } of batch) {
    if (userId === undefined) {
      verdicts.push({ act: 'park', cause: 'failed', knownVersion: 0 })
      continue
    }
    const known = versions.get(userId) ?? knownVersions.get(userId) ?? 0
    if (version <= known) verdicts.push(SKIP)
    else if (parked.has(userId) || parks.has(userId)) {
      verdicts.push({ act: 'park', cause: 'behind', knownVersion: known })
    } else if (failure === undefined && version === known + 1) {
      verdicts.push(APPLY)
      versions.set(userId, version)
    } else {
      parks.add(userId)
      verdicts.push({ act: 'park', cause: failure === undefined ? 'gap' : 'failed', knownVersion: known })
    }
  }
  return { verdicts, versions, parks }
}

const APPLY: Verdict = { act: 'apply' }
const SKIP: Verdict = { act: 'skip' }
