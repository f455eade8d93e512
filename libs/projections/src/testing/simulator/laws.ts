import type { KafkaRecord } from '@rollcall/kafka'
import type { ProjectedEvent, TableRow } from '../../define-projection.js'
import { difference } from './difference.js'
import { BEGINS_ANEW, type MemorySession, type MemoryTable } from './memory-database.js'
import { letterKey, type Tables } from './memory-store.js'
import { showEvent, showRow, type UserNames } from './show.js'

/** What must hold, in words; `LawBroken.law` is one of them. */
export const LAWS = {
  fold: 'the read model is the fold of the events',
  once: 'each effect happens once, in order',
  back: 'no user goes back to an older version',
  gapless: 'no version of a user is left out',
  position: 'a position passes a record only together with what becomes of it',
  blocks: 'a parked user holds up only itself',
  drains: 'everything is applied in the end',
} as const

export type Law = keyof typeof LAWS

/** A law does not hold: which, and what was found. */
export class LawBroken extends Error {
  constructor(
    readonly law: Law,
    readonly found: string,
  ) {
    super(`${LAWS[law]}: ${found}`)
  }
}

export interface LawBook<E extends ProjectedEvent> {
  readonly name: string
  readonly tables: Tables
  readonly partitions: () => readonly { readonly records: readonly KafkaRecord[] }[]
  /** The event in a record's value, whether the decoder can read it or not. */
  readonly eventIn: (value: Buffer) => E
  /** True once some process has decoded it. */
  readonly wasRead: (userId: string, version: number) => boolean
  /** For a `table` projection: the row of the user at that version, by the handler itself. */
  readonly rowAt: ((userId: string, version: number) => TableRow | null) | undefined
  readonly tableName: string | undefined
  readonly names: UserNames
}

/** The laws that can be checked with each commit, before it happens. */
export function commitLaws<E extends ProjectedEvent>(book: LawBook<E>): (session: MemorySession) => void {
  const { name, tables, names } = book
  const versions = tables.version(name)
  const checkpoints = tables.checkpoint(name)
  const letters = tables.letter(name)
  const readModel = book.tableName === undefined ? undefined : tables.user(book.tableName)
  let effects = new Map<string, number>()

  return (session) => {
    const { writes, notes } = session
    if (writes.size === 0) return
    const newVersions = written(writes, versions)
    const moved = written(writes, checkpoints)
    const isAnew = notes.includes(BEGINS_ANEW)
    if (isAnew) effects = new Map()
    if (newVersions !== undefined && !isAnew) checkVersions(newVersions)
    checkEffects(notes)
    if (moved !== undefined && !isAnew) checkPositions(session, moved)
    if (readModel !== undefined) checkRows(session, newVersions)
  }

  function checkVersions(changed: ReadonlyMap<string, number | undefined>): void {
    for (const [userId, version = 0] of changed) {
      const before = versions.rows.get(userId) ?? 0
      if (version <= before) {
        throw new LawBroken('back', `${names.of(userId)} goes from version ${before} to ${version}`)
      }
      for (let between = before + 1; between <= version; between++) {
        if (book.wasRead(userId, between)) continue
        throw new LawBroken(
          'gapless',
          `${names.of(userId)} goes from version ${before} to ${version}, and nobody has read ${between}`,
        )
      }
    }
  }

  function checkEffects(notes: readonly unknown[]): void {
    for (const note of notes) {
      if (note === BEGINS_ANEW) continue
      const event = note as E
      const last = effects.get(event.userId) ?? 0
      if (event.version <= last) throw new LawBroken('once', `${showEvent(event, names)} has its effect again`)
      if (event.version > last + 1) {
        throw new LawBroken('once', `${showEvent(event, names)} has its effect after version ${last}`)
      }
      effects.set(event.userId, event.version)
    }
  }

  function checkPositions(
    session: MemorySession,
    moved: ReadonlyMap<string, { readonly position: number } | undefined>,
  ) {
    for (const [partition, row] of moved) {
      const from = checkpoints.rows.get(partition)?.position ?? 0
      const to = row?.position ?? 0
      if (to < from) throw new LawBroken('position', `partition ${partition} goes back from ${from} to ${to}`)
      if (to === from) continue
      for (const { offset, value } of book.partitions()[Number(partition)]?.records ?? []) {
        if (offset < from || offset >= to || value === null) continue
        const event = book.eventIn(value)
        if ((after(session, versions, event.userId) ?? 0) >= event.version) continue
        if (after(session, letters, letterKey({ partition: Number(partition), offset })) !== undefined) continue
        const place = `partition ${partition} goes from ${from} to ${to}`
        throw new LawBroken(
          'position',
          `${place}, and ${showEvent(event, names)} at ${offset} is neither applied nor kept`,
        )
      }
    }
  }

  function checkRows(session: MemorySession, changed: ReadonlyMap<string, unknown> | undefined): void {
    const table = readModel as MemoryTable<TableRow>
    const touched = new Set(written(session.writes, table)?.keys())
    for (const userId of changed?.keys() ?? []) touched.add(userId)
    for (const userId of touched) {
      const version = after(session, versions, userId) ?? 0
      const wanted = version === 0 ? null : (book.rowAt?.(userId, version) ?? null)
      const different = difference(wanted, after(session, table, userId) ?? null)
      if (different === undefined) continue
      throw new LawBroken('fold', `row of ${names.of(userId)} in ${table.name} at version ${version}: ${different}`)
    }
  }
}

/** Once all is drained: the tables are those of a database where each event had its effect once, in order, and nothing failed. */
export function checkTables(
  found: readonly MemoryTable<TableRow>[],
  wanted: readonly MemoryTable<TableRow>[],
  names: UserNames,
): void {
  for (const table of found) {
    const other = wanted.find(({ name }) => name === table.name)?.rows
    for (const [key, row] of table.rows) {
      const expected = other?.get(key)
      if (expected === undefined) throw new LawBroken('fold', `${table.name} has a row too many: ${showRow(row)}`)
      const different = difference(expected, row)
      if (different !== undefined) throw new LawBroken('fold', `${table.name}, row ${names.of(key)}: ${different}`)
    }
  }
  for (const { name, rows } of wanted) {
    const there = found.find((table) => table.name === name)?.rows
    for (const [key, row] of rows) {
      if (there?.has(key)) continue
      throw new LawBroken('fold', `${name} lacks the row of ${names.of(key)}: ${showRow(row)}`)
    }
  }
}

function written<V>(
  writes: MemorySession['writes'],
  table: MemoryTable<V>,
): ReadonlyMap<string, V | undefined> | undefined {
  return writes.get(table as MemoryTable<unknown>) as ReadonlyMap<string, V | undefined> | undefined
}

/** The row as it will be once the session is committed. */
function after<V>(session: MemorySession, table: MemoryTable<V>, key: string): V | undefined {
  const mine = written(session.writes, table)
  return mine?.has(key) ? mine.get(key) : table.rows.get(key)
}
