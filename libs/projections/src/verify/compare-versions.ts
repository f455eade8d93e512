import type { Sql } from '@rollcall/database'
import type { Clock } from '../clock.js'
import type { RegistryDigest, UserRegistry, VersionDigest } from '../registry/user-registry.js'
import { parkedAmong } from '../store/parking-sql.js'
import { appliedVersions, appliedVersionsIn, versionDigest } from './version-digest.js'

export interface CompareVersionsOptions {
  readonly name: string
  readonly sql: Sql
  readonly registry: Pick<UserRegistry, 'digest' | 'versionsIn' | 'versionsOf'>
  readonly clock: Clock
  /** How long the read model may take to reach what the registry said. */
  readonly waitMs: number
  readonly signal: AbortSignal
  /** A power of two. @default 1024 */
  readonly buckets?: number
}

export interface VersionDifference {
  readonly userId: string
  /** `unknown`: the registry does not know the user. */
  readonly kind: 'missing' | 'behind' | 'ahead' | 'unknown'
  /** Null when the registry does not know the user. */
  readonly registryVersion: number | null
  /** 0 when the user was never applied. */
  readonly appliedVersion: number
  /** True while an operator, or a healing, is awaited. */
  readonly parked: boolean
}

export interface ComparedVersions {
  readonly registry: RegistryDigest
  readonly readModel: VersionDigest
  /** How many buckets were compared. */
  readonly compared: number
  /** The buckets that are not equal. */
  readonly unequal: readonly number[]
  /** What differs in them and stays so, in portions: a user that changed meanwhile is no difference. */
  differences(): AsyncGenerator<readonly VersionDifference[]>
}

/** Compares the versions of all users with those applied: one hash, then one per bucket, then keys where these are not equal. */
export async function compareVersions(options: CompareVersionsOptions): Promise<ComparedVersions> {
  const { name, sql, registry, signal, buckets = BUCKETS } = options
  const digests = (count: number) => Promise.all([registry.digest(count, signal), versionDigest(sql, name, count)])
  const [all, allOurs] = await digests(1)
  const isEqual = unequalBuckets(all, allOurs).length === 0
  const [theirs, ours] = isEqual ? [all, allOurs] : await digests(buckets)
  const unequal = unequalBuckets(theirs, ours)
  return {
    registry: theirs,
    readModel: ours,
    compared: isEqual ? 1 : buckets,
    unequal,
    async *differences() {
      for (const chosen of portions(unequal, theirs, ours)) yield await differencesIn(chosen, buckets, options)
    },
  }
}

const BUCKETS = 1_024

/** In the order of their numbers. */
export function unequalBuckets(theirs: VersionDigest, ours: VersionDigest): number[] {
  const all = new Set([...theirs.buckets.keys(), ...ours.buckets.keys()])
  return [...all]
    .filter((bucket) => {
      const [left, right] = [theirs.buckets.get(bucket), ours.buckets.get(bucket)]
      return left?.users !== right?.users || left?.hash !== right?.hash
    })
    .sort((a, b) => a - b)
}

/** Each portion is one scan on both sides; memory holds the users of one. */
function* portions(unequal: readonly number[], theirs: VersionDigest, ours: VersionDigest): Generator<number[]> {
  let portion: number[] = []
  let users = 0
  for (const bucket of unequal) {
    portion.push(bucket)
    users += (theirs.buckets.get(bucket)?.users ?? 0) + (ours.buckets.get(bucket)?.users ?? 0)
    if (users < USERS_AT_ONCE) continue
    yield portion
    portion = []
    users = 0
  }
  if (portion.length > 0) yield portion
}

const USERS_AT_ONCE = 200_000

async function differencesIn(chosen: readonly number[], buckets: number, options: CompareVersionsOptions) {
  const { name, sql, registry, signal } = options
  const [theirs, ours] = await Promise.all([
    registry.versionsIn(buckets, chosen, signal),
    appliedVersionsIn(sql, name, buckets, chosen),
  ])
  const candidates = new Set<string>()
  for (const [userId, version] of theirs) if (ours.get(userId) !== version) candidates.add(userId)
  for (const userId of ours.keys()) if (!theirs.has(userId)) candidates.add(userId)
  return settle(candidates, theirs, options)
}

/**
 * Waits until the read model has what the registry said of the candidates, and asks the registry again where the read
 * model has more: what is left differs.
 */
async function settle(
  candidates: ReadonlySet<string>,
  said: ReadonlyMap<string, number>,
  { name, sql, registry, clock, waitMs, signal }: CompareVersionsOptions,
): Promise<VersionDifference[]> {
  const deadline = clock.now() + waitMs
  const theirs = new Map(said)
  const parked = await parkedAmong(sql, name, [...candidates])
  let left = [...candidates]
  for (let pollMs = FIRST_POLL_MS; left.length > 0; pollMs = Math.min(2 * pollMs, LONGEST_POLL_MS)) {
    // The read model first: whatever it has, the registry said before.
    const ours = await appliedVersions(sql, name, left)
    const beyond = left.filter((userId) => (ours.get(userId) ?? 0) > (theirs.get(userId) ?? 0))
    for (const [userId, version] of await registry.versionsOf(beyond, signal)) theirs.set(userId, version)
    // One that the registry has changed again since is behind for this moment only: it has reached what was said.
    const asked = new Set(beyond.filter((userId) => theirs.has(userId)))
    left = left.filter((userId) => {
      const [here, there] = [ours.get(userId) ?? 0, theirs.get(userId)]
      return there === undefined || (asked.has(userId) ? here > there : here !== there)
    })
    const leftMs = deadline - clock.now()
    const mayPass = left.some((userId) => (ours.get(userId) ?? 0) < (theirs.get(userId) ?? 0) && !parked.has(userId))
    if (leftMs <= 0 || !mayPass) {
      return left.map((userId) => ({
        ...judged(userId, theirs.get(userId), ours.get(userId) ?? 0),
        parked: parked.has(userId),
      }))
    }
    await clock.wait(Math.min(pollMs, leftMs), signal)
    signal.throwIfAborted()
  }
  return []
}

const FIRST_POLL_MS = 25
const LONGEST_POLL_MS = 500

function judged(
  userId: string,
  registryVersion: number | undefined,
  appliedVersion: number,
): Omit<VersionDifference, 'parked'> {
  if (registryVersion === undefined) return { userId, kind: 'unknown', registryVersion: null, appliedVersion }
  const kind = appliedVersion > registryVersion ? 'ahead' : appliedVersion === 0 ? 'missing' : 'behind'
  return { userId, kind, registryVersion, appliedVersion }
}
