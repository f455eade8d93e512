import { copyIn, type Pool, type PoolClient, withTransaction } from '@rollcall/database'
import { sequenceOf } from '@rollcall/events'
import { headerOf, type KafkaRecord } from '@rollcall/kafka'
import type { Verdict } from '../apply/decide.js'
import {
  type Delivered,
  deliveredEvent,
  handlerFailure,
  LOWER_UUID,
  parkingsOf,
  sane,
  unreadable,
} from '../apply/delivered.js'
import type { TableWriter } from '../apply/table-writer.js'
import type { Clock } from '../clock.js'
import type { ProjectedEvent, TableProjection } from '../define-projection.js'
import type { LogSource } from '../log-source.js'
import type { Parking, ParkingLimits } from '../parking/parking.js'
import { RebuildFailedError } from '../projection-errors.js'
import { park } from '../store/parking-sql.js'
import { quoted } from '../store/table-rows.js'
import { versionTable } from '../store/version-table.js'
import type { Governor } from './governor.js'
import { recordsIn } from './records-in.js'
import { type LiveTable, tableOf } from './side-tables.js'

export interface FoldOptions<E extends ProjectedEvent> {
  readonly projection: TableProjection<E>
  readonly writer: TableWriter<E>
  readonly pool: Pool
  readonly kafka: LogSource
  readonly decode: (value: Buffer) => E | Promise<E>
  readonly clock: Clock
  readonly governor: Governor
  readonly parkingLimits: ParkingLimits
  readonly isTransient: (error: unknown) => boolean
  /** Name of the side that is filled, also of its schema. */
  readonly side: string
  readonly table: LiveTable
}

export interface FoldRun {
  readonly signal: AbortSignal
  /** Told of records as they are read. */
  readonly seen: (records: number) => void
}

/**
 * Fills the table of a side from the topic, set-based: events carry the whole state, so only the last of each user is
 * decoded; the versions on the way are checked by the record's header alone. A few partitions at a time: a user is in one
 * partition, so memory holds the users of those. Each group commits with its checkpoints; after a crash only the rest is
 * read. Users whose events cannot be applied are parked in the side, as a runner would.
 */
export async function foldInto<E extends ProjectedEvent>(options: FoldOptions<E>, run: FoldRun): Promise<void> {
  const { pool, kafka, projection, side } = options
  const offsets = await kafka.offsets(projection.topic.name)
  const done = await foldedPartitions(pool, side)
  const rest = offsets.filter(({ partition }) => !done.has(partition))
  run.seen(recordsIn(offsets) - recordsIn(rest))
  let loading: Promise<void> = Promise.resolve()
  for (let at = 0; at < rest.length; at += PARTITIONS_AT_ONCE) {
    const partitions = rest.slice(at, at + PARTITIONS_AT_ONCE).map(({ partition }) => partition)
    const folded = await foldPartitions(options, partitions, run)
    // Loaded while the next partitions are read: Postgres and this process work side by side.
    await loading
    loading = load(options, folded)
    loading.catch(() => {})
  }
  await loading
}

const PARTITIONS_AT_ONCE = 4

async function foldedPartitions(pool: Pool, side: string): Promise<Set<number>> {
  const { rows } = await pool.query<{ partition: number }>(
    'SELECT partition FROM projections.checkpoint WHERE projection = $1',
    [side],
  )
  return new Set(rows.map(({ partition }) => Number(partition)))
}

interface Folded {
  version: number
  /** The user's last record that follows the one before it without a gap. */
  last: Kept | undefined
  /** The user's last record, once there is a gap. */
  beyond: Kept | undefined
}

/** A copy of a record: a view would keep the whole fetched megabyte alive. */
interface Kept {
  version: number
  offset: number
  timestampMs: number
  partition: number
  value: Buffer
  /** What `value` is a view of: written over by the next record that fits, because most are as long as the last. */
  room: Buffer
}

async function foldPartitions<E extends ProjectedEvent>(
  { projection, kafka, decode, governor, clock }: FoldOptions<E>,
  partitions: readonly number[],
  { signal, seen }: FoldRun,
): Promise<ToLoad<E>> {
  const users = new Map<string, Folded>()
  const unreadables: Unreadable<E>[] = []
  const { positions } = await kafka.readTopic({
    topic: projection.topic.name,
    partitions,
    signal,
    async onBatch({ records: batch, partition }) {
      for (const [at, record] of batch.entries()) {
        if (at % RECORDS_PER_TURN === 0) await governor.pace()
        if (record.value === null && record.unreadable === undefined) continue
        const named = namesOf(record) ?? (await decodedNames(record, decode))
        if (named instanceof Error) {
          unreadables.push({
            partition,
            item: unreadable({ topic: projection.topic.name, partition }, record, named, clock),
          })
          continue
        }
        const { userId, version } = named
        let user = users.get(userId)
        if (user === undefined) {
          user = { version: 0, last: undefined, beyond: undefined }
          users.set(userId, user)
        }
        if (version <= user.version) continue
        if (version > user.version + 1 || user.beyond !== undefined) {
          if (version > (user.beyond?.version ?? 0)) user.beyond = keep(user.beyond, record, version, partition)
        } else {
          user.version = version
          user.last = keep(user.last, record, version, partition)
        }
      }
      seen(batch.length)
    },
  })
  return { users, unreadables, positions }
}

const RECORDS_PER_TURN = 25

function keep(kept: Kept | undefined, { offset, timestampMs, value }: KafkaRecord, version: number, partition: number) {
  const length = value?.length ?? 0
  const room = kept === undefined || kept.room.length < length ? Buffer.allocUnsafe(length + SLACK) : kept.room
  value?.copy(room)
  if (kept === undefined) return { version, offset, timestampMs, partition, value: room.subarray(0, length), room }
  kept.version = version
  kept.offset = offset
  kept.timestampMs = timestampMs
  kept.partition = partition
  kept.value = room.subarray(0, length)
  kept.room = room
  return kept
}

const SLACK = 32

/** User and version by key and header, which spares decoding; undefined when they do not tell. */
function namesOf(record: KafkaRecord): { userId: string; version: number } | undefined {
  const sequence = headerOf(record, 'ce_sequence')
  const version = sequence === undefined ? undefined : sequenceOf({ ce_sequence: sequence })
  const userId = record.key?.toString('latin1', 0, 37)
  if (record.unreadable !== undefined || version === undefined || userId === undefined) return undefined
  return LOWER_UUID.test(userId) ? { userId, version } : undefined
}

async function decodedNames<E extends ProjectedEvent>(
  { value, unreadable: problem }: KafkaRecord,
  decode: (value: Buffer) => E | Promise<E>,
): Promise<{ userId: string; version: number } | Error> {
  if (problem !== undefined) return problem
  try {
    return sane(await decode(value ?? Buffer.alloc(0)))
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

interface Unreadable<E> {
  readonly partition: number
  readonly item: Delivered<E>
}

interface ToLoad<E> {
  readonly users: ReadonlyMap<string, Folded>
  readonly unreadables: readonly Unreadable<E>[]
  readonly positions: ReadonlyMap<number, number>
}

/** One transaction for rows, versions, parked users and checkpoints: a group is there or not. */
async function load<E extends ProjectedEvent>(
  options: FoldOptions<E>,
  { users, unreadables, positions }: ToLoad<E>,
): Promise<void> {
  const { pool, projection, side, parkingLimits, governor } = options
  await withTransaction(pool, async (client) => {
    const parked = new Map<string, Parking>()
    let rows: Made[] = []
    const flush = async () => {
      for (const { userId, kept, error } of await copyRows(client, options, rows)) {
        parked.set(userId, await parking(options, userId, kept, error))
      }
      rows = []
    }
    let made = 0
    for (const [userId, { last, beyond }] of users) {
      if (made++ % RECORDS_PER_TURN === 0) await governor.pace()
      if (last !== undefined) {
        try {
          const decoded = options.decode(last.value)
          const event = decoded instanceof Promise ? await decoded : decoded
          const row = options.writer.rowOf(userId, event.user, event)
          if (row !== null) rows.push({ userId, kept: last, row })
        } catch (error) {
          parked.set(userId, await parking(options, userId, last, error))
          continue
        }
      }
      if (beyond !== undefined)
        parked.set(userId, await parking(options, userId, beyond, undefined, last?.version ?? 0))
      if (rows.length >= ROWS_PER_COPY) await flush()
    }
    await flush()
    const unnamed: Parking[] = []
    for (const { partition, item } of unreadables) {
      const one = asideOf(options, partition, item)
      if (item.userId === undefined) unnamed.push(one)
      else if (!parked.has(item.userId)) parked.set(item.userId, one)
    }
    const versions = paced(versionRows(users, parked), governor)
    await copyIn(client, `COPY ${versionTable(side)} (key, version) FROM STDIN`, versions)
    const parkings = [...parked.values(), ...unnamed]
    const full = parkings.length === 0 ? undefined : await park(client, side, parkings, parkingLimits)
    if (full !== undefined) throw new RebuildFailedError(projection.name, full.problem)
    await client.query(
      `INSERT INTO projections.checkpoint (projection, partition, position, epoch)
       SELECT $1::text, partition, position, 1 FROM unnest($2::int[], $3::bigint[]) AS new (partition, position)`,
      [side, [...positions.keys()], [...positions.values()]],
    )
  })
}

const ROWS_PER_COPY = 20_000

/** A copy that the socket takes at once never lets go of the event loop: 20,000 rows held up the live side for 200 ms. */
async function* paced<T>(rows: Iterable<T>, governor: Governor): AsyncGenerator<T> {
  let given = 0
  for (const row of rows) {
    if (given++ % RECORDS_PER_TURN === 0) await governor.pace()
    yield row
  }
}

interface Made {
  readonly userId: string
  readonly kept: Kept
  readonly row: Readonly<Record<string, unknown>>
}

/** Copies the rows, and answers those the table refuses, found by halving. */
async function copyRows<E extends ProjectedEvent>(
  client: PoolClient,
  options: FoldOptions<E>,
  rows: readonly Made[],
): Promise<(Made & { readonly error: unknown })[]> {
  const [first] = rows
  if (first === undefined) return []
  const { table, side, writer, governor } = options
  const columns = writer.columns() ?? Object.keys(first.row)
  const into = tableOf({ schema: side, name: table.name })
  const json = (column: string, value: unknown) =>
    table.jsonColumns.has(column) && value !== null && value !== undefined ? JSON.stringify(value) : value
  function* cells() {
    for (const { row } of rows) yield columns.map((column) => json(column, row[column]))
  }
  await client.query('SAVEPOINT rows')
  try {
    await copyIn(client, `COPY ${into} (${columns.map(quoted).join(', ')}) FROM STDIN`, paced(cells(), governor))
    await client.query('RELEASE SAVEPOINT rows')
    return []
  } catch (error) {
    if (options.isTransient(error)) throw error
    await client.query('ROLLBACK TO SAVEPOINT rows')
    if (rows.length === 1) return [{ ...first, error }]
    const half = rows.length >> 1
    return [
      ...(await copyRows(client, options, rows.slice(0, half))),
      ...(await copyRows(client, options, rows.slice(half))),
    ]
  }
}

/**
 * The user's last record becomes the one that waits: it carries the whole state, so what came before it is not needed.
 *
 * @param knownVersion the version before a gap
 */
async function parking<E extends ProjectedEvent>(
  options: FoldOptions<E>,
  userId: string,
  { partition, offset, timestampMs, value, version }: Kept,
  error: unknown,
  knownVersion?: number,
): Promise<Parking> {
  const { projection, decode, clock } = options
  const place = { topic: projection.topic.name, partition }
  const headers = { ce_subject: Buffer.from(userId), ce_sequence: Buffer.from(String(version)) }
  const record = { offset, timestampMs, key: Buffer.from(userId), value: Buffer.from(value), headers }
  let item: Delivered<E>
  try {
    item = deliveredEvent(record, sane(await decode(value)))
  } catch (cause) {
    return asideOf(options, partition, unreadable(place, record, cause, clock))
  }
  if (knownVersion !== undefined) return asideOf(options, partition, item, knownVersion)
  return asideOf(options, partition, { ...item, failure: handlerFailure(place, item, error, clock) })
}

/** As a runner would keep it aside. */
function asideOf<E extends ProjectedEvent>(
  { projection, clock }: FoldOptions<E>,
  partition: number,
  item: Delivered<E>,
  knownVersion?: number,
): Parking {
  const verdict: Verdict = {
    act: 'park',
    cause: knownVersion === undefined ? 'failed' : 'gap',
    knownVersion: knownVersion ?? 0,
  }
  const batch = { topic: projection.topic.name, partition }
  const [one] = parkingsOf({ batch, items: [item] }, { verdicts: [verdict] }, clock)
  if (one === undefined) throw new Error('a record to be kept aside was not')
  return one
}

/** What counts as applied: of a parked user, everything before the record that waits, or before the gap. */
function* versionRows(
  users: ReadonlyMap<string, Folded>,
  parked: ReadonlyMap<string, Parking>,
): Generator<[string, number]> {
  for (const [userId, { version }] of users) {
    const waiting = parked.get(userId)?.letter.version
    const applied = waiting === undefined || waiting > version ? version : version - 1
    if (applied > 0) yield [userId, applied]
  }
}
