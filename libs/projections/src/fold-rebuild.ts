import { copyIn, type Pool, type PoolClient, withTransaction } from '@rollcall/database'
import { sequenceOf } from '@rollcall/events'
import { headerOf, type KafkaRecord, type PartitionOffsets } from '@rollcall/kafka'
import { serializeError } from '@rollcall/observability'
import type { Clock } from './clock.js'
import type { LatestState, ProjectedEvent, TableProjection } from './define-projection.js'
import type { LogSource } from './log-source.js'
import { forgetParked } from './parking-sql.js'
import { RebuildFailedError, RebuildRunningError } from './projection-errors.js'
import type { ProjectionStore, RebuildProgress } from './projection-store.js'
import { dropShadow, openShadow, type Shadow } from './shadow-table.js'
import { sqlRows } from './table-rows.js'
import { RowFailure, type TableWriter } from './table-writer.js'
import { versionTable } from './version-table.js'

export interface FoldRebuildOptions<E extends ProjectedEvent> {
  readonly projection: TableProjection<E>
  readonly writer: TableWriter<E>
  readonly pool: Pool
  readonly kafka: LogSource
  readonly store: Pick<ProjectionStore<unknown>, 'setRebuild' | 'read'>
  readonly decode: (value: Buffer) => E | Promise<E>
  readonly clock: Clock
  readonly instance: string
}

export interface FoldRebuild {
  /** Takes the right to rebuild, for one process at a time, and shows that it has begun. @throws RebuildRunningError */
  begin(): Promise<BegunRebuild>
  /** Drops what a killed rebuild left behind, unless another process is at it. */
  sweep(): Promise<void>
}

export interface BegunRebuild {
  run(signal: AbortSignal): Promise<{ readonly events: number; readonly users: number; readonly tookMs: number }>
  /** Gives the right to rebuild back. */
  end(): Promise<void>
}

/**
 * Rebuilds a `table` projection from the topic without touching the live table until the end.
 *
 * Events carry the whole state, so only the last of each user is decoded; the versions on the way are checked by the
 * record's header alone. A few partitions at a time: a user is in one partition, so memory holds the users of those.
 */
export function foldRebuild<E extends ProjectedEvent>(options: FoldRebuildOptions<E>): FoldRebuild {
  const { projection, pool, kafka, store, clock, instance } = options
  const { name, topic } = projection
  const lockKey = `rollcall.projections.rebuild.${name}`

  async function lock(): Promise<() => Promise<void>> {
    const client = await pool.connect()
    try {
      // A session lock: gone with the process, however it ends.
      const { rows } = await client.query<{ mine: boolean }>(
        'SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS mine',
        [lockKey],
      )
      if (rows[0]?.mine !== true) throw new RebuildRunningError(name)
    } catch (error) {
      client.release(!(error instanceof RebuildRunningError))
      throw error
    }
    return async () => {
      const broken = await client.query('SELECT pg_advisory_unlock(hashtextextended($1, 0))', [lockKey]).then(
        () => undefined,
        (error: Error) => error,
      )
      client.release(broken)
    }
  }

  async function begin(): Promise<BegunRebuild> {
    const end = await lock()
    try {
      const startedAt = clock.now()
      const offsets = await kafka.offsets(topic.name)
      const total = offsets.reduce((sum, { low, high }) => sum + high - low, 0)
      const tell = progressTeller(options, { total, startedAt })
      await tell('reading', 0)
      return { end, run: (signal) => run(signal, { startedAt, offsets, total, tell }) }
    } catch (error) {
      await end()
      throw error
    }
  }

  async function run(signal: AbortSignal, { startedAt, offsets, total, tell }: RunFrom) {
    let events = 0
    try {
      const shadow = await openShadow(pool, projection)
      const frontier = new Map<number, number>()
      let users = 0
      let loading: Promise<number> = Promise.resolve(0)
      for (let at = 0; at < offsets.length; at += PARTITIONS_AT_ONCE) {
        const partitions = offsets.slice(at, at + PARTITIONS_AT_ONCE).map(({ partition }) => partition)
        const folded = await foldPartitions(options, partitions, {
          signal,
          seen(count) {
            events += count
            tell.soon('reading', events)
          },
        })
        for (const [partition, position] of folded.positions) frontier.set(partition, position)
        // Loaded while the next partitions are read: Postgres and this process work side by side.
        users += await loading
        loading = load(options, shadow, folded.users)
        loading.catch(() => {})
      }
      users += await loading
      await tell('indexing', events)
      await shadow.finish(pool)
      await tell('catching up', events)
      const caughtUp = await catchUp(options, shadow, frontier, signal)
      await tell('swapping', events)
      await swapIn(options, shadow, caughtUp, signal)
      await tell('done', total)
      return { events, users, tookMs: clock.now() - startedAt }
    } catch (error) {
      await dropShadow(pool, projection).catch(() => {})
      const problem = signal.aborted ? 'the process closed; run it again' : serializeError(error).message
      await tell('failed', events, problem).catch(() => {})
      throw error
    }
  }

  return {
    begin,
    async sweep() {
      const end = await lock().catch((error: unknown) => {
        if (error instanceof RebuildRunningError) return undefined
        throw error
      })
      if (end === undefined) return
      try {
        await dropShadow(pool, projection)
        const rebuild = (await store.read([name]))[0]?.rebuild
        if (rebuild?.kind === 'fold' && rebuild.phase !== 'done' && rebuild.phase !== 'failed') {
          const finishedAt = new Date(clock.now()).toISOString()
          await store.setRebuild(name, {
            ...rebuild,
            phase: 'failed',
            instance,
            finishedAt,
            error: 'the process that rebuilt ended; run it again',
          })
        }
      } finally {
        await end()
      }
    },
  }
}

interface RunFrom {
  readonly startedAt: number
  readonly offsets: readonly PartitionOffsets[]
  readonly total: number
  readonly tell: ReturnType<typeof progressTeller>
}

const PARTITIONS_AT_ONCE = 4

interface Folded {
  version: number
  /** The user's last record of the stretch, still encoded; undefined while it brought nothing newer. */
  value: Buffer | undefined
  /** What `value` is a view of: written over by the next record that fits, because most are as long as the last. */
  room: Buffer | undefined
}

interface Stretch {
  readonly signal: AbortSignal
  readonly seen?: (records: number) => void
  /** Where the partitions are read from, with the versions that were reached before. @default the beginning, none */
  readonly after?: {
    readonly positions: ReadonlyMap<number, number>
    versionsOf(userIds: readonly string[]): Promise<ReadonlyMap<string, number>>
  }
}

/** Reads the partitions to their end, checks that no version of a user is missing, and keeps the last record of each. */
async function foldPartitions<E extends ProjectedEvent>(
  { projection, kafka, decode }: FoldRebuildOptions<E>,
  partitions: readonly number[],
  { signal, seen, after }: Stretch,
) {
  const users = new Map<string, Folded>()
  const { name, topic } = projection
  const { positions } = await kafka.readTopic({
    topic: topic.name,
    partitions,
    signal,
    ...(after === undefined ? {} : { from: after.positions }),
    async onBatch({ records, partition }) {
      if (after !== undefined) {
        const unseen = [...new Set(records.map(userIdOf))].filter((userId) => !users.has(userId))
        for (const [userId, version] of await after.versionsOf(unseen)) {
          users.set(userId, { version, value: undefined, room: undefined })
        }
      }
      for (const record of records) {
        if (record.unreadable !== undefined) throw record.unreadable
        if (record.key === null || record.value === null) continue
        const userId = userIdOf(record)
        const version = versionOf(record) ?? (await decode(record.value)).version
        let user = users.get(userId)
        if (user === undefined) {
          user = { version: 0, value: undefined, room: undefined }
          users.set(userId, user)
        }
        if (version > user.version + 1) throw gap(name, userId, user.version, version, record, partition)
        if (version === user.version + 1) keep(user, version, record.value)
      }
      seen?.(records.length)
    },
  })
  return { users, positions }
}

/** Copies the record: a view would keep the whole fetched megabyte alive. */
function keep(user: Folded, version: number, value: Buffer): void {
  if (user.room === undefined || user.room.length < value.length) user.room = Buffer.allocUnsafe(value.length + SLACK)
  value.copy(user.room)
  user.value = user.room.subarray(0, value.length)
  user.version = version
}

const SLACK = 32

function versionOf(record: KafkaRecord): number | undefined {
  const sequence = headerOf(record, 'ce_sequence')
  return sequence === undefined ? undefined : sequenceOf({ ce_sequence: sequence })
}

const userIdOf = ({ key }: KafkaRecord) => key?.toString('latin1') ?? ''

function gap(name: string, userId: string, known: number, seen: number, { offset }: KafkaRecord, partition: number) {
  const problem = `version ${seen} follows version ${known} of user ${userId} at partition ${partition} offset ${offset}`
  return new RebuildFailedError(name, problem, { userId, known, seen, partition, offset })
}

async function load<E extends ProjectedEvent>(
  { pool, writer, decode }: FoldRebuildOptions<E>,
  shadow: Shadow,
  users: ReadonlyMap<string, Folded>,
): Promise<number> {
  if (users.size === 0) return 0
  await withTransaction(pool, async (client) => {
    let columns: readonly string[] | undefined
    const rows: unknown[][] = []
    const flush = async () => {
      if (columns === undefined || rows.length === 0) return
      await copyIn(client, shadow.copySql(columns), rows.splice(0))
    }
    for (const [userId, { value }] of users) {
      if (value === undefined) continue
      const decoded = decode(value)
      const event = decoded instanceof Promise ? await decoded : decoded
      const row = writer.rowOf(userId, event.user, event)
      if (row === null) continue
      columns ??= writer.columns() ?? Object.keys(row)
      rows.push(columns.map((column) => shadow.copyValue(column, row[column])))
      if (rows.length >= ROWS_PER_COPY) await flush()
    }
    await flush()
    await copyIn(client, shadow.copyVersionsSql, versionRows(users))
  })
  return users.size
}

const ROWS_PER_COPY = 20_000

function* versionRows(users: ReadonlyMap<string, Folded>): Generator<[string, number]> {
  for (const [userId, { version }] of users) yield [userId, version]
}

/** Applies what came to the topic meanwhile, until little is left for the moment in which writers must wait. */
async function catchUp<E extends ProjectedEvent>(
  options: FoldRebuildOptions<E>,
  shadow: Shadow,
  frontier: ReadonlyMap<number, number>,
  signal: AbortSignal,
): Promise<Map<number, number>> {
  const { pool, kafka, projection } = options
  const positions = new Map(frontier)
  for (let round = 0; round < MAX_CATCH_UPS; round++) {
    const behind = (await kafka.offsets(projection.topic.name)).filter(
      ({ partition, high }) => high > (positions.get(partition) ?? 0),
    )
    const records = behind.reduce((sum, { partition, high }) => sum + high - (positions.get(partition) ?? 0), 0)
    if (records <= SMALL_REST) break
    const partitions = behind.map(({ partition }) => partition)
    const folded = await withTransaction(pool, (client) =>
      applyStretch(options, shadow, client, { partitions, positions, signal }),
    )
    for (const [partition, position] of folded) positions.set(partition, position)
  }
  return positions
}

const MAX_CATCH_UPS = 20
const SMALL_REST = 200

/** Reads on from the positions and writes what is newer into the shadow; answers how far it came. */
async function applyStretch<E extends ProjectedEvent>(
  options: FoldRebuildOptions<E>,
  shadow: Shadow,
  client: PoolClient,
  { partitions, positions, signal }: StretchFrom,
): Promise<ReadonlyMap<number, number>> {
  const versionsOf = (userIds: readonly string[]) => shadow.knownVersions(client, userIds)
  const folded = await foldPartitions(options, partitions, { signal, after: { positions, versionsOf } })
  const latest: LatestState<E>[] = []
  const newer = new Map<string, Folded>()
  for (const [userId, one] of folded.users) {
    if (one.value === undefined) continue
    newer.set(userId, one)
    const event = await options.decode(one.value)
    latest.push({ userId, version: one.version, user: event.user, event, deleted: event.user.status === 'deleted' })
  }
  await options.writer.write(sqlRows(client), latest, shadow.table).catch((error: unknown) => {
    throw error instanceof RowFailure ? error.cause : error
  })
  await shadow.recordVersions(client, newer)
  return folded.positions
}

interface StretchFrom {
  readonly partitions: readonly number[]
  readonly positions: ReadonlyMap<number, number>
  readonly signal: AbortSignal
}

/**
 * The moment of change: holds the runners, applies what they have applied since, and swaps both tables. Readers see the
 * old rows until the commit and the new ones after it, never fewer changes than before.
 */
async function swapIn<E extends ProjectedEvent>(
  options: FoldRebuildOptions<E>,
  shadow: Shadow,
  caughtUp: ReadonlyMap<number, number>,
  signal: AbortSignal,
): Promise<void> {
  const { pool, projection } = options
  const { name } = projection
  for (let attempt = 1; ; attempt++) {
    try {
      return await withTransaction(pool, async (client) => {
        // Readers queue behind our wait for the live table: it is short, and tried again.
        await client.query(`SET LOCAL lock_timeout = '${LOCK_WAIT_MS}ms'`)
        // Runners take this lock before their checkpoint's: the other order deadlocks.
        await client.query(`LOCK TABLE ${versionTable(name)} IN ACCESS EXCLUSIVE MODE`)
        const { rows } = await client.query<{ partition: number; position: string }>(
          'SELECT partition, position FROM projections.checkpoint WHERE projection = $1 FOR UPDATE',
          [name],
        )
        const live = new Map(rows.map(({ partition, position }) => [Number(partition), Number(position)]))
        const ahead = [...live].filter(([partition, position]) => position > (caughtUp.get(partition) ?? 0))
        const positions = new Map(caughtUp)
        if (ahead.length > 0) {
          const partitions = ahead.map(([partition]) => partition)
          const reached = await applyStretch(options, shadow, client, { partitions, positions: caughtUp, signal })
          for (const [partition, position] of reached) positions.set(partition, position)
        }
        await shadow.swap(client)
        await forgetParked(client, name)
        await client.query(
          `INSERT INTO projections.checkpoint AS c (projection, partition, position, epoch)
           SELECT $1::text, partition, position, 1 FROM unnest($2::int[], $3::bigint[]) AS new (partition, position)
           ON CONFLICT (projection, partition) DO UPDATE
           SET position = excluded.position, epoch = c.epoch + 1, claimed_by = NULL, claimed_at = NULL, failure = NULL, parking = c.parking + 1`,
          [name, [...positions.keys()], [...positions.values()]],
        )
        await client.query('UPDATE projections.projection SET version = $2::int WHERE name = $1', [
          name,
          projection.version,
        ])
      })
    } catch (error) {
      const isLockTimeout = (error as { code?: string }).code === '55P03'
      if (!isLockTimeout || attempt >= MAX_SWAPS || signal.aborted) throw error
      await options.clock.wait(100 * attempt, signal)
    }
  }
}

const LOCK_WAIT_MS = 2_000
const MAX_SWAPS = 15

/** Writes the progress to the projection's row at once, or at most once a second. */
function progressTeller<E extends ProjectedEvent>(
  { store, projection, clock, instance }: FoldRebuildOptions<E>,
  { total, startedAt }: { readonly total: number; readonly startedAt: number },
) {
  let toldAt = 0
  // One after the other: a late line about reading must not follow the one that says it is done.
  let told: Promise<unknown> = Promise.resolve()
  const tell = (phase: RebuildProgress['phase'], events: number, error?: string) => {
    toldAt = clock.now()
    const ended = phase === 'done' || phase === 'failed'
    const progress: RebuildProgress = {
      kind: 'fold',
      phase,
      events,
      total,
      startedAt: new Date(startedAt).toISOString(),
      instance,
      ...(ended ? { finishedAt: new Date(clock.now()).toISOString() } : {}),
      ...(error === undefined ? {} : { error }),
    }
    const written = told.then(() => store.setRebuild(projection.name, progress))
    told = written.catch(() => {})
    return written
  }
  return Object.assign(tell, {
    soon(phase: RebuildProgress['phase'], events: number) {
      // Progress that cannot be written is no reason to end the rebuild; the next step meets the same database.
      if (clock.now() - toldAt >= 1_000) tell(phase, events).catch(() => {})
    },
  })
}
