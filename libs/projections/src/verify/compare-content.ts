import type { ProjectedEvent } from '../define-projection.js'
import type { LogSource } from '../log-source.js'
import { EventsGoneError } from '../projection-errors.js'
import type { UserRegistry } from '../registry/user-registry.js'
import type { ProjectionStore } from '../store/projection-store.js'
import { knownVersion, versionTable } from '../store/version-table.js'
import { type LastRecord, type LastRecordsOptions, lastRecords } from './last-records.js'
import type { RowComparer, RowDifference } from './row-comparer.js'
import { appliedVersions } from './version-digest.js'

export interface CompareContentOptions<E extends ProjectedEvent, Tx> {
  readonly name: string
  readonly topic: string
  readonly kafka: Pick<LogSource, 'readTopic' | 'offsets'>
  readonly store: ProjectionStore<Tx>
  readonly registry: Pick<UserRegistry, 'events' | 'state'>
  readonly decode: (value: Buffer) => E | Promise<E>
  readonly comparer: RowComparer<E>
  readonly signal: AbortSignal
  /** Told how many records of how many were read. */
  readonly progress: (records: number, total: number) => void
}

/** A row that is not as it should be, with the event that says how it should be; none for a row nobody's event made. */
export interface ContentDifference<E> extends RowDifference {
  readonly event: E | undefined
}

export interface ContentCounts {
  /** Users whose row was compared. */
  readonly users: number
  /** Users of whom nobody has the event any more that made their row. */
  readonly unchecked: number
}

/**
 * Compares every row with what `row()` says of the last event applied, a partition at a time: memory holds the last records
 * of two. The topic is read up to the position and no further; a user that has moved on meanwhile, or whose record the
 * topic has lost, is compared with the registry's event of the version that is applied.
 *
 * @returns counts, when it has come to its end
 */
export async function compareContent<E extends ProjectedEvent, Tx>(
  options: CompareContentOptions<E, Tx>,
  found: (differences: readonly ContentDifference<E>[]) => Promise<void>,
): Promise<ContentCounts> {
  const { name, store, comparer, progress } = options
  const { applied, positions } = await startOf(options)
  const total = [...positions.values()].reduce((sum, { to, from }) => sum + Math.max(0, to - from), 0)
  let records = 0
  const seen = (count: number) => {
    records += count
    progress(records, total)
  }
  const keys: string[][] = []
  const counts = { users: 0, matched: 0, unchecked: 0 }

  async function partition(number: number, until: number): Promise<void> {
    const users = await lastRecords(options.kafka, stretch(options, number, until, seen))
    keys.push([...users.keys()])
    for (const events of chunks(users, options.decode)) {
      const { read, unreadable } = await events
      const result = await comparer.compare(store.outside, read)
      const odd = [...result.failed, ...unreadable]
      const compared = read.length - result.failed.length - result.unknown
      counts.matched += compared + (odd.length === 0 ? 0 : (await appliedVersions(store.outside, name, odd)).size)
      counts.users += compared - result.elsewhere.length
      const byId = new Map(read.map((event) => [event.userId, event]))
      if (result.differences.length > 0) {
        await found(result.differences.map((one) => ({ ...one, event: byId.get(one.userId) })))
      }
      await singly([...result.elsewhere, ...odd])
    }
  }

  async function singly(userIds: readonly string[]): Promise<void> {
    for (const userId of userIds) {
      const result = await compareOne(userId, options)
      if (result === 'unchecked') counts.unchecked++
      else counts.users++
      if (typeof result === 'object') await found([result])
    }
  }

  // Two at a time: while Postgres compares one, this process reads and decodes the other.
  const left = [...positions]
  const lane = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) await partition(next[0], next[1].to)
  }
  await Promise.all([lane(), lane()])
  // As many as had a version when the positions were read: then none of them has lost all its records.
  if (counts.matched !== applied) await singly(await unseen(options, keys))
  const strangers = await comparer.strangers(store.outside, MOST_STRANGERS)
  if (strangers.length > 0) {
    await found(strangers.map((userId) => ({ userId, kind: 'row extra', version: 0, columns: [], event: undefined })))
  }
  return { users: counts.users, unchecked: counts.unchecked }
}

/** More are left to the next time. */
const MOST_STRANGERS = 10_000

/** Positions and number of users of one snapshot: the records of all these users stand before these positions. */
async function startOf<E extends ProjectedEvent, Tx>({ name, topic, kafka, store }: CompareContentOptions<E, Tx>) {
  const { rows } = await store.outside.query<{ partition: number | null; position: number | null; applied: number }>(
    `SELECT c.partition, c.position, n.applied FROM (SELECT count(*) AS applied FROM ${versionTable(name)}) AS n
     LEFT JOIN projections.checkpoint c ON c.projection = $1`,
    [name],
  )
  const offsets = await kafka.offsets(topic)
  const low = new Map(offsets.map((one) => [one.partition, one]))
  const positions = new Map<number, { from: number; to: number }>()
  for (const { partition, position } of rows) {
    if (partition === null || position === null) continue
    const { low: from = 0, high = 0 } = low.get(Number(partition)) ?? {}
    positions.set(Number(partition), { from, to: Math.min(Number(position), high) })
  }
  return { applied: Number(rows[0]?.applied ?? 0), positions }
}

const stretch = <E extends ProjectedEvent, Tx>(
  { topic, signal }: CompareContentOptions<E, Tx>,
  partition: number,
  until: number,
  seen: (records: number) => void,
): LastRecordsOptions => ({ topic, partition, until, signal, seen })

interface Chunk<E> {
  readonly read: readonly E[]
  readonly unreadable: readonly string[]
}

function* chunks<E extends ProjectedEvent>(
  users: ReadonlyMap<string, LastRecord>,
  decode: (value: Buffer) => E | Promise<E>,
): Generator<Promise<Chunk<E>>> {
  let some: [string, LastRecord][] = []
  for (const one of users) {
    some.push(one)
    if (some.length < USERS_AT_ONCE) continue
    yield decoded(some, decode)
    some = []
  }
  if (some.length > 0) yield decoded(some, decode)
}

const USERS_AT_ONCE = 2_000

async function decoded<E extends ProjectedEvent>(
  users: readonly (readonly [string, LastRecord])[],
  decode: (value: Buffer) => E | Promise<E>,
): Promise<Chunk<E>> {
  const read: E[] = []
  const unreadable: string[] = []
  for (const [userId, { value, version }] of users) {
    try {
      const event = decode(value)
      const one = event instanceof Promise ? await event : event
      if (one.userId === userId && one.version === version) read.push(one)
      else unreadable.push(userId)
    } catch {
      unreadable.push(userId)
    }
  }
  return { read, unreadable }
}

/** With the registry's event of the version that is applied; tried again while the user moves on. */
async function compareOne<E extends ProjectedEvent, Tx>(
  userId: string,
  options: CompareContentOptions<E, Tx>,
): Promise<'equal' | 'unchecked' | ContentDifference<E>> {
  const { name, store, comparer, signal } = options
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    signal.throwIfAborted()
    const version = await knownVersion(store.outside, name, userId)
    // Never applied: that is a matter of versions.
    if (version === 0) return 'equal'
    const event = await eventOf(userId, version, options)
    if (event === undefined) return 'unchecked'
    const { differences, elsewhere, failed } = await comparer.compare(store.outside, [event])
    if (elsewhere.length > 0) continue
    if (failed.length > 0) return { userId, kind: 'row failed', version, columns: [], event }
    return differences[0] === undefined ? 'equal' : { ...differences[0], event }
  }
  return 'unchecked'
}

const MOST_ATTEMPTS = 5

/** The user's event of the version, or its state when that is the version it is at; undefined when nobody has it. */
async function eventOf<E extends ProjectedEvent, Tx>(
  userId: string,
  version: number,
  { registry, decode, signal }: CompareContentOptions<E, Tx>,
): Promise<E | undefined> {
  const values = await registry
    .events({ userId, fromVersion: version, toVersion: version, signal })
    .catch((error: unknown) => {
      if (error instanceof EventsGoneError) return []
      throw error
    })
  const value = values[0] ?? (await registry.state(userId, signal))
  const event = value && (await decode(value))
  return event?.userId === userId && event.version === version ? event : undefined
}

/** The users with a version of whom the topic has no record. */
async function unseen<E extends ProjectedEvent, Tx>(
  { name, store }: CompareContentOptions<E, Tx>,
  keys: readonly (readonly string[])[],
): Promise<string[]> {
  const done: string[] = []
  await store.transaction(async ({ sql }) => {
    await sql.query('CREATE TEMPORARY TABLE rollcall_seen (key uuid) ON COMMIT DROP')
    for (const all of keys) {
      for (let from = 0; from < all.length; from += KEYS_AT_ONCE) {
        await sql.query('INSERT INTO rollcall_seen SELECT unnest($1::uuid[])', [all.slice(from, from + KEYS_AT_ONCE)])
      }
    }
    await sql.query('ANALYZE rollcall_seen')
    const { rows } = await sql.query<{ key: string }>(
      `SELECT v.key::text FROM ${versionTable(name)} v WHERE NOT EXISTS (SELECT FROM rollcall_seen s WHERE s.key = v.key)`,
    )
    done.push(...rows.map(({ key }) => key))
  })
  return done
}

const KEYS_AT_ONCE = 20_000
