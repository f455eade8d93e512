import { partitionOf } from '@rollcall/kafka'
import type { Clock } from '../clock.js'
import type { ProjectedEvent, Projection } from '../define-projection.js'
import type { GapHealer } from '../parking/heal-gaps.js'
import type { PartitionFailure } from '../parking/partition-failure.js'
import { partitionFailure } from '../projection-errors.js'
import { findParked, noteAct, parkBehind } from '../store/parking-sql.js'
import type { ProjectionStore } from '../store/projection-store.js'
import { knownVersion } from '../store/version-table.js'
import { holdPartition } from './hold-partition.js'

export interface HealBehindOptions<E extends ProjectedEvent, Tx> {
  readonly projection: Projection<E, Tx>
  readonly store: ProjectionStore<Tx>
  readonly healer: Pick<GapHealer, 'heal'>
  readonly clock: Clock
  /** Of the topic. */
  readonly partitions: number
  readonly actor: string
}

/**
 * Brings a user to the version the registry is at. No later event says that something is missing, so the user is parked as
 * if one did, behind nothing: from then on it is a gap like any other, healed now, or by whoever looks after gaps.
 *
 * @returns `parked` when it could not be healed
 * @throws EventsUnavailableError when the events cannot be fetched now; it will be tried again
 */
export async function healBehind<E extends ProjectedEvent, Tx>(
  userId: string,
  toVersion: number,
  options: HealBehindOptions<E, Tx>,
): Promise<'healed' | 'parked'> {
  const { store, healer, projection } = options
  const { name } = projection
  const gap = await parkAsGap(userId, toVersion, options)
  if (gap !== undefined) await healer.heal(userId, gap)
  const isParked = (await store.findParked(name, userId)) !== undefined
  return !isParked && (await store.knownVersion(name, userId)) >= toVersion ? 'healed' : 'parked'
}

/** Undefined when the user has the version by now, or is parked already. */
function parkAsGap<E extends ProjectedEvent, Tx>(
  userId: string,
  toVersion: number,
  { projection, store, clock, partitions, actor }: HealBehindOptions<E, Tx>,
): Promise<PartitionFailure | undefined> {
  const { name, topic } = projection
  const partition = partitionOf(Buffer.from(userId), partitions)
  return store.transaction(async ({ sql }) => {
    // With notice: the owner must keep what comes from now on behind the parked user.
    const offset = (await holdPartition(sql, name, partition, { withNotice: true })) ?? 0
    const known = await knownVersion(sql, name, userId)
    if (known >= toVersion || (await findParked(sql, name, userId)) !== undefined) return undefined
    const place = { topic: topic.name, partition, offset, userId, knownVersion: known, seenVersion: toVersion + 1 }
    const problem = `The user registry is at version ${toVersion} of the user, version ${known} is applied: ${toVersion - known} missing`
    const gap = partitionFailure('ERR_PROJECTION_VERSION_GAP', problem, place, new Date(clock.now()))
    await parkBehind(sql, name, userId, gap)
    const facts = { fromVersion: known + 1, toVersion }
    await noteAct(sql, { projection: name, act: 'verify.heal', actor, userId, facts })
    return gap
  })
}
