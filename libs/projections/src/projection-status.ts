import type { Clock } from './clock.js'
import type { ProjectedTopic } from './define-projection.js'
import type { LogSource } from './log-source.js'
import type { PartitionFailure } from './parking/partition-failure.js'
import type { RebuildProgress } from './rebuild/rebuild-progress.js'
import { sideName } from './rebuild/sides.js'
import type { Checkpoint, ProjectionRow, ProjectionState, ProjectionStore } from './store/projection-store.js'

export interface ProjectionStatus {
  readonly name: string
  readonly version: number
  readonly topic: string
  readonly state: ProjectionState
  readonly lagRecords: number
  /** The largest of the partitions' lags. */
  readonly lagSeconds: number
  readonly partitions: readonly PartitionStatus[]
  /** Users whose events wait behind one that could not be applied. */
  readonly parkedUsers: number
  /** The rebuild under way, or the last one. */
  readonly rebuild: Omit<RebuildProgress, 'targets'> | null
  /** The sides beside the live one. */
  readonly sides: readonly SideStatus[]
}

export interface SideStatus {
  readonly side: 'next' | 'prev'
  readonly version: number
  /** `rebuilding` while it is filled; then it follows the topic. */
  readonly state: ProjectionState
  readonly lagRecords: number
  readonly parkedUsers: number
  /** When it is dropped. */
  readonly expiresAt: Date | null
}

export interface PartitionStatus {
  readonly partition: number
  /** Offset of the next record to apply. */
  readonly position: number
  readonly highWatermark: number
  readonly lagRecords: number
  /** Time since the partition was without lag, or since its last applied record; 0 without lag. */
  readonly lagSeconds: number
  readonly state: 'running' | 'paused' | 'stopped' | 'unclaimed'
  readonly claimedBy: string | null
  readonly failure: PartitionFailure | null
}

interface Observed {
  readonly projection: { readonly name: string; readonly topic: ProjectedTopic<never> }
  readonly live: { readonly runner: { caughtUpAt(partition: number): number | undefined } }
}

/** The state of each projection over all processes: from the database and the topic, whoever owns the partitions. */
export async function projectionStatus<Tx>(
  running: readonly Observed[],
  { kafka, store, clock }: { readonly kafka: LogSource; readonly store: ProjectionStore<Tx>; readonly clock: Clock },
): Promise<ProjectionStatus[]> {
  const rows = new Map(
    (await store.read(running.flatMap(({ projection: { name } }) => [name, ...sidesOf(name)]))).map((row) => [
      row.name,
      row,
    ]),
  )
  const topics = [...new Set(running.map(({ projection }) => projection.topic.name))]
  const offsets = new Map(await Promise.all(topics.map(async (topic) => [topic, await kafka.offsets(topic)] as const)))
  return running.flatMap(({ projection, live: { runner } }) => {
    const row = rows.get(projection.name)
    if (row === undefined) return []
    const checkpoints = new Map(row.checkpoints.map((one) => [one.partition, one]))
    const partitions = (offsets.get(projection.topic.name) ?? []).map(({ partition, low, high }) =>
      partitionStatus(
        row,
        checkpoints.get(partition),
        { partition, low, high },
        runner.caughtUpAt(partition),
        clock.now(),
      ),
    )
    const sides = SIDES.flatMap((side) => {
      const aside = rows.get(sideName(projection.name, side))
      return aside === undefined ? [] : [sideStatus(side, aside, offsets.get(projection.topic.name) ?? [])]
    })
    return { ...summary(row, partitions), partitions, sides }
  })
}

const SIDES = ['next', 'prev'] as const
const sidesOf = (name: string) => SIDES.map((side) => sideName(name, side))

function sideStatus(
  side: SideStatus['side'],
  { version, state, parkedUsers, expiresAt, checkpoints }: ProjectionRow,
  offsets: readonly { readonly partition: number; readonly low: number; readonly high: number }[],
): SideStatus {
  const at = new Map(checkpoints.map(({ partition, position }) => [partition, position]))
  const lags = offsets.map(({ partition, low, high }) => Math.max(0, high - (at.get(partition) ?? low)))
  return { side, version, state, lagRecords: lags.reduce((sum, lag) => sum + lag, 0), parkedUsers, expiresAt }
}

function summary(
  row: ProjectionRow,
  partitions: readonly PartitionStatus[],
): Omit<ProjectionStatus, 'partitions' | 'sides'> {
  const { name, version, topic, state, parkedUsers } = row
  const lagRecords = partitions.reduce((sum, one) => sum + one.lagRecords, 0)
  const lagSeconds = Math.max(0, ...partitions.map((one) => one.lagSeconds))
  return {
    name,
    version,
    topic,
    state,
    lagRecords,
    lagSeconds,
    parkedUsers,
    rebuild: shownRebuild(row.rebuild, lagRecords),
  }
}

function shownRebuild(rebuild: RebuildProgress | null, lagRecords: number): ProjectionStatus['rebuild'] {
  if (rebuild === null) return null
  const { targets, ...shown } = rebuild
  // A replay is the ordinary runner: how far it got is what is left.
  if (targets === undefined || shown.phase !== 'catching up') return shown
  return { ...shown, events: Math.max(0, shown.total - lagRecords) }
}

function partitionStatus(
  row: ProjectionRow,
  checkpoint: Checkpoint | undefined,
  { partition, low, high }: { readonly partition: number; readonly low: number; readonly high: number },
  caughtUpAt: number | undefined,
  now: number,
): PartitionStatus {
  const position = checkpoint?.position ?? low
  const lagRecords = Math.max(0, high - position)
  const since = Math.max(checkpoint?.recordAt?.getTime() ?? 0, caughtUpAt ?? 0)
  const lagSeconds = lagRecords === 0 || since === 0 ? 0 : Math.max(0, now - since) / 1000
  const failure = checkpoint?.failure ?? null
  const claimedBy = checkpoint?.claimedBy ?? null
  const state = failure ? 'stopped' : row.state === 'paused' ? 'paused' : claimedBy === null ? 'unclaimed' : 'running'
  return { partition, position, highWatermark: high, lagRecords, lagSeconds, state, claimedBy, failure }
}
