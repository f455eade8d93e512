/** What a decision needs of an event. */
export interface VersionedEvent {
  readonly userId: string
  readonly version: number
}

/** What to do with one event of a batch. */
export type Verdict =
  | { readonly act: 'apply' }
  /** Applied before: a redelivery, a replay or a republished event. */
  | { readonly act: 'skip' }
  /** Events of this user are missing between the known version and this one. */
  | { readonly act: 'stop'; readonly knownVersion: number; readonly seenVersion: number }
  /** Stands behind a stop: neither applied nor passed over. */
  | { readonly act: 'hold' }

export interface Decision {
  /** One per event, in the order of the batch. */
  readonly verdicts: readonly Verdict[]
  /** The version each touched user has once the events to apply are applied. */
  readonly versions: ReadonlyMap<string, number>
  /** How many events are to be applied. */
  readonly applied: number
  /** Where the batch ends early: the index of the only `stop`. */
  readonly stopAt: number | undefined
}

/**
 * Decides a batch of one partition from the versions the database knows: pure, so that every order of events can be tried.
 *
 * A user whose version the database does not know is at 0, because versions start at 1. The first gap ends the batch:
 * what stands before it is applied, what follows is held, whoever it belongs to.
 */
export function decide(batch: readonly VersionedEvent[], knownVersions: ReadonlyMap<string, number>): Decision {
  const verdicts: Verdict[] = []
  const versions = new Map<string, number>()
  let applied = 0
  let stopAt: number | undefined
  for (const { userId, version } of batch) {
    if (stopAt !== undefined) {
      verdicts.push(HOLD)
      continue
    }
    const known = versions.get(userId) ?? knownVersions.get(userId) ?? 0
    if (version <= known) verdicts.push(SKIP)
    else if (version === known + 1) {
      verdicts.push(APPLY)
      versions.set(userId, version)
      applied++
    } else {
      stopAt = verdicts.length
      verdicts.push({ act: 'stop', knownVersion: known, seenVersion: version })
    }
  }
  return { verdicts, versions, applied, stopAt }
}

const APPLY: Verdict = { act: 'apply' }
const SKIP: Verdict = { act: 'skip' }
const HOLD: Verdict = { act: 'hold' }
