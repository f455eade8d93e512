import type { Clock } from '../clock.js'
import type { ProjectedEvent, Projection } from '../define-projection.js'
import type { LogSource } from '../log-source.js'
import type { ProjectionStore } from '../store/projection-store.js'
import { sideTablesOf } from './build-side.js'
import { recordsIn } from './records-in.js'
import { describeTables } from './side-tables.js'

/** What a rebuild would do. */
export interface RebuildPlan {
  readonly kind: 'fold' | 'shadow' | 'replay'
  readonly events: number
  readonly tables: readonly string[]
  /** Rows of the live tables, as of their last statistics. */
  readonly rows: number
  /** What a second set of tables with indexes will need, by the size of the live ones. */
  readonly bytes: number
  /** How long the filling will take, by the last rebuild or by reading a sample; without rests for live traffic. */
  readonly seconds: number
  readonly estimatedBy: 'last rebuild' | 'sample'
}

export interface PlanOptions<E extends ProjectedEvent, Tx> {
  readonly projection: Projection<E, Tx>
  readonly kafka: LogSource
  readonly store: ProjectionStore<Tx>
  readonly decode: (value: Buffer) => E | Promise<E>
  readonly clock: Clock
  readonly canStandAside: boolean
}

/** @throws RebuildFailedError when it would be refused */
export async function planRebuild<E extends ProjectedEvent, Tx>(options: PlanOptions<E, Tx>): Promise<RebuildPlan> {
  const { projection, kafka, store, canStandAside } = options
  const offsets = await kafka.offsets(projection.topic.name)
  const events = recordsIn(offsets)
  const names = sideTablesOf(projection) ?? []
  const tables = store.pool === undefined ? [] : await describeTables(store.pool, projection.name, names)
  const kind = !canStandAside ? 'replay' : projection.table === undefined ? 'shadow' : 'fold'
  const last = (await store.read([projection.name]))[0]?.rebuild
  const lastSeconds =
    last?.phase === 'done' && last.finishedAt !== undefined && last.kind === kind
      ? (Date.parse(last.finishedAt) - Date.parse(last.startedAt)) / 1_000
      : 0
  const isKnown = last !== null && last !== undefined && lastSeconds > 0 && last.total > 0
  const rate = isKnown ? last.total / lastSeconds : await sampledRate(options, kind)
  return {
    kind,
    events,
    tables: tables.map(({ schema, name }) => `${schema}.${name}`),
    rows: tables.reduce((sum, table) => sum + table.rows, 0),
    bytes: tables.reduce((sum, table) => sum + table.bytes, 0),
    seconds: events / rate,
    estimatedBy: isKnown ? 'last rebuild' : 'sample',
  }
}

/** Records a second, by reading and decoding some; writing costs about as much again, and three times as much one by one. */
async function sampledRate<E extends ProjectedEvent, Tx>(
  { projection, kafka, decode, clock }: PlanOptions<E, Tx>,
  kind: RebuildPlan['kind'],
): Promise<number> {
  const until = new Map(
    (await kafka.offsets(projection.topic.name)).map(({ partition, low, high }) => [
      partition,
      Math.min(high, low + SAMPLE),
    ]),
  )
  const decoded = async (value: Buffer) => decode(value)
  const startedAt = clock.now()
  let records = 0
  await kafka.readTopic({
    topic: projection.topic.name,
    until,
    async onBatch(batch) {
      for (const { value } of batch.records) {
        // What cannot be read costs no less.
        if (value !== null) await decoded(value).catch(() => {})
        records++
      }
    },
  })
  const seconds = Math.max(clock.now() - startedAt, 1) / 1_000
  return Math.max(records, 1) / seconds / (kind === 'fold' ? 2 : 4)
}

const SAMPLE = 2_000
