import { partitionOf } from '@rollcall/kafka'
import type { Effects } from '../apply/apply-effects.js'
import type { ProjectedEvent } from '../define-projection.js'
import type { ProjectionStore } from '../store/projection-store.js'
import type { ContentDifference } from './compare-content.js'
import { holdPartition } from './hold-partition.js'
import type { RowComparer } from './row-comparer.js'

export interface RepairRowsOptions<E extends ProjectedEvent, Tx> {
  readonly name: string
  readonly effects: Effects<E, Tx>
  readonly store: ProjectionStore<Tx>
  readonly comparer: RowComparer<E>
  readonly partitions: number
  readonly actor: string
}

/**
 * Writes the rows anew through the ordinary writer, or removes what no event made, a partition's in one transaction that
 * holds their versions: rows that were written meanwhile are left alone.
 *
 * @returns the users repaired
 */
export async function repairRows<E extends ProjectedEvent, Tx>(
  differences: readonly ContentDifference<E>[],
  options: RepairRowsOptions<E, Tx>,
): Promise<ReadonlySet<string>> {
  const byPartition = new Map<number, ContentDifference<E>[]>()
  for (const one of differences) {
    const partition = partitionOf(Buffer.from(one.userId), options.partitions)
    const same = byPartition.get(partition)
    if (same === undefined) byPartition.set(partition, [one])
    else same.push(one)
  }
  const repaired = new Set<string>()
  for (const [partition, all] of byPartition) {
    for (let from = 0; from < all.length; from += ROWS_AT_ONCE) {
      for (const userId of await repairSome(partition, all.slice(from, from + ROWS_AT_ONCE), options))
        repaired.add(userId)
    }
  }
  return repaired
}

/** The owner of the partition waits meanwhile. */
const ROWS_AT_ONCE = 100

function repairSome<E extends ProjectedEvent, Tx>(
  partition: number,
  differences: readonly ContentDifference<E>[],
  { name, effects, store, comparer, actor }: RepairRowsOptions<E, Tx>,
): Promise<string[]> {
  return store.transaction(async (transaction) => {
    const { sql } = transaction
    await holdPartition(sql, name, partition)
    const events = differences.flatMap(({ event, kind }) =>
      event === undefined || kind === 'row failed' ? [] : [event],
    )
    const still = events.length === 0 ? [] : (await comparer.compare(sql, events)).differences
    const wrong = new Set(still.map(({ userId }) => userId))
    const writing = events.filter(({ userId }) => wrong.has(userId))
    // Events applied before: what they were to do outside is done, and is dropped here.
    if (writing.length > 0) await effects.apply(writing, transaction, [])
    const done = [...wrong]
    for (const { userId, event } of differences) {
      if (event === undefined && (await comparer.removeStranger(sql, userId))) done.push(userId)
    }
    const kinds = new Map(differences.map(({ userId, kind, version }) => [userId, { kind, version }]))
    for (const userId of done) {
      await transaction.noteAct({
        projection: name,
        act: 'verify.repair',
        actor,
        userId,
        facts: { ...kinds.get(userId) },
      })
    }
    return done
  })
}
