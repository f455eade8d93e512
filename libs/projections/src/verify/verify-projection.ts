import type { Logger } from '@rollcall/observability'
import type { Effects } from '../apply/apply-effects.js'
import type { Clock } from '../clock.js'
import type { ProjectedEvent, Projection } from '../define-projection.js'
import type { LogSource } from '../log-source.js'
import type { GapHealer } from '../parking/heal-gaps.js'
import { FormUnsupportedError, RegistryUnknownError } from '../projection-errors.js'
import type { ProjectionMetrics } from '../projection-metrics.js'
import type { UserRegistry } from '../registry/user-registry.js'
import type { ProjectionStore } from '../store/projection-store.js'
import {
  type CompareContentOptions,
  type ContentCounts,
  type ContentDifference,
  compareContent,
} from './compare-content.js'
import { compareVersions, type VersionDifference } from './compare-versions.js'
import { healBehind } from './heal-behind.js'
import { repairRows } from './repair-rows.js'
import { type RowDifferenceKind, rowComparer } from './row-comparer.js'

export interface VerifierOptions<E extends ProjectedEvent, Tx> {
  readonly projection: Projection<E, Tx>
  readonly effects: Effects<E, Tx>
  readonly store: ProjectionStore<Tx>
  readonly kafka: LogSource
  readonly decode: (value: Buffer) => E | Promise<E>
  readonly registry: UserRegistry | undefined
  readonly healer: GapHealer | undefined
  readonly logger: Logger
  readonly metrics: ProjectionMetrics
  readonly clock: Clock
}

export interface VerifyRequest {
  readonly actor: string
  /** Mend what can be mended, key by key. @default false */
  readonly repair?: boolean
  /** With `repair`: only say what would be mended. @default false */
  readonly dryRun?: boolean
  /** Compare the rows too, not only the versions; `table` projections. @default false */
  readonly content?: boolean
  /** How long the read model may take to reach what the registry said. @default 5000 */
  readonly waitMs?: number
  /** Most differences listed; all are counted. @default 1000 */
  readonly limit?: number
  readonly signal?: AbortSignal
  readonly progress?: (progress: VerifyProgress) => void
}

export interface VerifyProgress {
  readonly phase: 'versions' | 'content'
  /** Records of the topic read, of `total`; content only. */
  readonly records: number
  readonly total: number
}

export type DifferenceKind = VersionDifference['kind'] | RowDifferenceKind

export interface VerifyReport {
  readonly projection: string
  /** The snapshot of the registry that the read model was held against. */
  readonly registry: { readonly at: string; readonly snapshot: string; readonly users: number }
  /** Where the read model was: partition to position, read just before. */
  readonly readModel: { readonly users: number; readonly positions: Readonly<Record<string, number>> }
  readonly buckets: { readonly compared: number; readonly unequal: number }
  /** Null unless asked for. */
  readonly content: ContentCounts | null
  /** How many differences of each kind were found; kinds without any are left out. */
  readonly found: Readonly<Partial<Record<DifferenceKind, number>>>
  /** How many of them are mended now, or would be. */
  readonly repaired: number
  /** What is still wrong: 0 says the two are equal. */
  readonly left: number
  /** The first differences. */
  readonly items: readonly VerifyItem[]
  readonly dryRun: boolean
  readonly tookMs: number
}

export interface VerifyItem {
  readonly userId: string
  readonly kind: DifferenceKind
  /** Null when the registry does not know the user, or rows were compared. */
  readonly registryVersion: number | null
  readonly appliedVersion: number
  readonly parked: boolean
  /** Columns that differ. */
  readonly columns?: readonly string[]
  /** `none`: not asked for, or there is no mend by key. */
  readonly repair: 'none' | 'healed' | 'rewritten' | 'removed' | 'parked'
}

/** Compares a read model with the user registry while both go on, and mends it by key. */
export interface Verifier {
  /** @throws RegistryUnknownError, RegistryUnavailableError, FormUnsupportedError */
  verify(request: VerifyRequest): Promise<VerifyReport>
}

export function verifier<E extends ProjectedEvent, Tx>(options: VerifierOptions<E, Tx>): Verifier {
  const { projection, effects, store, kafka, clock, logger, metrics, healer } = options
  const { name, topic } = projection
  const comparer =
    projection.table !== undefined && effects.table !== undefined ? rowComparer(projection, effects.table) : undefined

  return {
    async verify(request) {
      const { repair = false, dryRun = false, content = false, waitMs = 5_000, limit = 1_000, actor } = request
      const { signal = new AbortController().signal, progress = () => {} } = request
      const { registry } = options
      if (registry === undefined || healer === undefined) throw new RegistryUnknownError(name)
      if (content && comparer === undefined) {
        throw new FormUnsupportedError(
          name,
          'the rows of `on` and `onBatch` projections are written by their own handlers, so only a rebuild can say what they should be; `projections rebuild` builds them beside the live ones and proves both equal',
        )
      }
      const startedAt = clock.now()
      const partitions = (await kafka.offsets(topic.name)).length
      const tally = tallyOf(limit)
      const mending = repair && !dryRun

      progress({ phase: 'versions', records: 0, total: 0 })
      const positions = await positionsOf(store, name)
      const versions = await compareVersions({ name, sql: store.outside, registry, clock, waitMs, signal })
      for await (const some of versions.differences()) {
        const { differences, healing } = await healable(some)
        for (const one of differences) if (!healing.includes(one)) tally.add(item(one, 'none'), false)
        if (!mending) for (const one of healing) tally.add(item(one, repair ? 'healed' : 'none'), repair)
        else {
          await atMost(HEALED_AT_ONCE, healing, async (one) => {
            signal.throwIfAborted()
            const toVersion = one.registryVersion as number
            const outcome = await healBehind(one.userId, toVersion, {
              projection,
              store,
              healer,
              clock,
              partitions,
              actor,
            })
            if (outcome === 'healed') metrics.repairs.inc({ projection: name, kind: one.kind })
            tally.add(item(one, outcome), outcome === 'healed')
          })
        }
      }

      let counts: ContentCounts | null = null
      if (content && comparer !== undefined) {
        const comparing: CompareContentOptions<E, Tx> = {
          ...{ name, topic: topic.name, kafka, store, registry, decode: options.decode, comparer, signal },
          progress: (records, total) => progress({ phase: 'content', records, total }),
        }
        counts = await compareContent(comparing, async (found) => {
          const repaired = mending
            ? await repairRows(found, { name, effects, store, comparer, partitions, actor })
            : new Set(repair ? found.filter(({ kind }) => kind !== 'row failed').map(({ userId }) => userId) : [])
          for (const one of found) {
            const isRepaired = repaired.has(one.userId)
            if (isRepaired && mending) metrics.repairs.inc({ projection: name, kind: one.kind })
            tally.add(rowItem(one, isRepaired), isRepaired)
          }
        })
      }

      const report: VerifyReport = {
        projection: name,
        registry: { at: versions.registry.at, snapshot: versions.registry.snapshot, users: versions.registry.users },
        readModel: { users: versions.readModel.users, positions },
        buckets: { compared: versions.compared, unequal: versions.unequal.length },
        content: counts,
        ...tally.result(),
        dryRun,
        tookMs: clock.now() - startedAt,
      }
      await note(report, request)
      return report
    },
  }

  /** Which of them a healing can bring to the registry's version; who only left a version behind is no difference. */
  async function healable(some: readonly VersionDifference[]) {
    const strangers = some.filter(({ kind }) => kind === 'unknown').map(({ userId }) => userId)
    // A user the registry has forgotten leaves its last version behind, so that late events of it stay without effect.
    const withRow =
      comparer === undefined || strangers.length === 0
        ? new Set(strangers)
        : await comparer.withRow(store.outside, strangers)
    const differences = some.filter(({ kind, userId }) => kind !== 'unknown' || withRow.has(userId))
    const healing = differences.filter(({ kind, parked }) => (kind === 'missing' || kind === 'behind') && !parked)
    return { differences, healing }
  }

  async function note({ found, repaired, left, tookMs }: VerifyReport, request: VerifyRequest): Promise<void> {
    const { actor, repair = false, dryRun = false, content = false } = request
    logger.info({ projection: name, found, repaired, left, repair, dryRun, content, tookMs }, 'projection verified')
    if (!repair || dryRun) return
    await store.transaction((transaction) =>
      transaction.noteAct({ projection: name, act: 'verify', actor, facts: { content, found, repaired, left } }),
    )
  }
}

/** Each asks the registry and holds a partition. */
const HEALED_AT_ONCE = 4

async function positionsOf<Tx>(store: ProjectionStore<Tx>, name: string): Promise<Record<string, number>> {
  const row = (await store.read([name]))[0]
  return Object.fromEntries(row?.checkpoints.map(({ partition, position }) => [String(partition), position]) ?? [])
}

async function atMost<T>(count: number, all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const left = [...all].reverse()
  const lane = async () => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) await work(next)
  }
  await Promise.all(Array.from({ length: count }, lane))
}

const item = (one: VersionDifference, repair: VerifyItem['repair']): VerifyItem => ({ ...one, repair })

const rowItem = <E>({ userId, kind, version, columns }: ContentDifference<E>, isRepaired: boolean): VerifyItem => ({
  userId,
  kind,
  registryVersion: null,
  appliedVersion: version,
  parked: false,
  columns,
  repair: !isRepaired ? 'none' : kind === 'row extra' ? 'removed' : 'rewritten',
})

function tallyOf(limit: number) {
  const found: Partial<Record<DifferenceKind, number>> = {}
  const items: VerifyItem[] = []
  let repaired = 0
  let total = 0
  return {
    add(one: VerifyItem, isRepaired: boolean) {
      found[one.kind] = (found[one.kind] ?? 0) + 1
      total++
      if (isRepaired) repaired++
      if (items.length < limit) items.push(one)
    },
    result: () => ({ found, repaired, left: total - repaired, items }),
  }
}
