import type { PartitionFailure } from '../parking/partition-failure.js'
import type { ProjectionStore } from '../store/projection-store.js'

export interface UserProgress {
  /** The version applied; 0 when the user was never seen. */
  readonly version: number
  readonly parked: { readonly since: Date; readonly failures: readonly PartitionFailure[] } | null
}

export async function userProgress(
  store: Pick<ProjectionStore<never>, 'knownVersion' | 'findParked'>,
  name: string,
  userId: string,
): Promise<UserProgress> {
  const [version, parked] = await Promise.all([store.knownVersion(name, userId), store.findParked(name, userId)])
  return { version, parked: parked === undefined ? null : { since: parked.parkedAt, failures: parked.failures } }
}
