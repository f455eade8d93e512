/**
 * A database in memory that keeps what Postgres promises at READ COMMITTED: a transaction sees its own writes and what
 * others have committed, a written row is locked until the end, who meets a locked row waits, a circle of waiters loses one.
 */
export interface MemoryDatabase {
  begin(): MemorySession
  /** The table of that name; made when first asked for. */
  table<V>(name: string): MemoryTable<V>
  readonly tables: ReadonlyMap<string, MemoryTable<unknown>>
}

export interface MemoryTable<V> {
  readonly name: string
  /** What is committed. */
  readonly rows: Map<string, V>
  readonly locks: Map<string, MemorySession>
  /** Who has read or written the table in an open transaction; only tables that are ever locked whole keep it. */
  readonly users: Set<MemorySession>
  wholeLock: MemorySession | undefined
}

/** A transaction. `failed`: a statement of it failed, nothing of it can be committed. */
export interface MemorySession {
  state: 'open' | 'failed' | 'committed' | 'rolled back'
  readonly writes: Map<MemoryTable<unknown>, Map<string, unknown>>
  /** Called once it has ended: the locks are free. */
  readonly waiters: (() => void)[]
  waitsFor: MemorySession | undefined
  /** What a law wants to know of it. */
  readonly notes: unknown[]
  /** Handlers that have not ended, and statements under way. */
  handlers: number
  steps: number
}

/** Note of a session that empties the read model to begin anew. */
export const BEGINS_ANEW = Symbol('begins anew')

/** Thrown by a statement that met a lock: it is run again once the holder has ended. No Error: it is no failure. */
export class Blocked {
  constructor(readonly holder: MemorySession) {}
}

/** What a real driver would have said. */
export class MemoryDatabaseError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly isTransient: boolean,
  ) {
    super(message)
  }
}

export function memoryDatabase(beforeCommit?: (session: MemorySession) => void): MemoryDatabase {
  const tables = new Map<string, MemoryTable<unknown>>()
  return {
    tables,
    begin: () => ({
      state: 'open',
      writes: new Map(),
      waiters: [],
      waitsFor: undefined,
      notes: [],
      handlers: 0,
      steps: 0,
      beforeCommit,
      locked: [],
      used: [],
    }),
    table<V>(name: string) {
      let table = tables.get(name)
      if (table === undefined) {
        table = { name, rows: new Map(), locks: new Map(), users: new Set(), wholeLock: undefined }
        tables.set(name, table)
      }
      return table as MemoryTable<V>
    },
  } as MemoryDatabase
}

interface Inside extends MemorySession {
  readonly beforeCommit: ((session: MemorySession) => void) | undefined
  readonly locked: { readonly table: MemoryTable<unknown>; readonly key: string }[]
  readonly used: MemoryTable<unknown>[]
}

export function readRow<V>(session: MemorySession, table: MemoryTable<V>, key: string): V | undefined {
  const mine = session.writes.get(table as MemoryTable<unknown>)
  return mine?.has(key) ? (mine.get(key) as V | undefined) : table.rows.get(key)
}

/** All rows as the transaction sees them. */
export function* scan<V>(session: MemorySession, table: MemoryTable<V>): Generator<[string, V]> {
  const mine = session.writes.get(table as MemoryTable<unknown>)
  for (const entry of table.rows) if (!mine?.has(entry[0])) yield entry
  if (mine !== undefined) for (const [key, row] of mine) if (row !== undefined) yield [key, row as V]
}

/** Takes the lock of a row. @throws Blocked; MemoryDatabaseError 40P01 when waiting would be a circle */
export function lockRow<V>(session: MemorySession, table: MemoryTable<V>, key: string): void {
  const holder = table.locks.get(key)
  if (holder === session) return
  if (holder !== undefined) waitFor(session, holder)
  table.locks.set(key, session)
  ;(session as Inside).locked.push({ table: table as MemoryTable<unknown>, key })
}

/** Writes a row, or with undefined deletes it, under its lock. @throws as lockRow */
export function writeRow<V>(session: MemorySession, table: MemoryTable<V>, key: string, row: V | undefined): void {
  lockRow(session, table, key)
  const any = table as MemoryTable<unknown>
  let mine = session.writes.get(any)
  if (mine === undefined) {
    mine = new Map()
    session.writes.set(any, mine)
  }
  mine.set(key, row)
}

/** Marks the table as in use until the end. @throws Blocked while somebody holds all of it */
export function useTable<V>(session: MemorySession, table: MemoryTable<V>): void {
  const { wholeLock } = table
  if (wholeLock !== undefined && wholeLock !== session) waitFor(session, wholeLock)
  if (table.users.has(session)) return
  table.users.add(session)
  ;(session as Inside).used.push(table as MemoryTable<unknown>)
}

/** Takes the whole table, as ACCESS EXCLUSIVE. @throws Blocked while others use it */
export function lockTable<V>(session: MemorySession, table: MemoryTable<V>): void {
  useTable(session, table)
  for (const user of table.users) if (user !== session) waitFor(session, user)
  table.wholeLock = session
}

export function commit(session: MemorySession): void {
  if (session.state !== 'open') throw new Error(`a transaction that is ${session.state} cannot be committed`)
  ;(session as Inside).beforeCommit?.(session)
  for (const [table, rows] of session.writes) {
    for (const [key, row] of rows) {
      if (row === undefined) table.rows.delete(key)
      else table.rows.set(key, row)
    }
  }
  end(session, 'committed')
}

export function rollback(session: MemorySession): void {
  if (session.state === 'open' || session.state === 'failed') end(session, 'rolled back')
}

function end(session: MemorySession, state: 'committed' | 'rolled back'): void {
  session.state = state
  const { locked, used } = session as Inside
  for (const { table, key } of locked) table.locks.delete(key)
  for (const table of used) {
    table.users.delete(session)
    if (table.wholeLock === session) table.wholeLock = undefined
  }
  for (const wake of session.waiters) wake()
}

function waitFor(session: MemorySession, holder: MemorySession): never {
  for (let other: MemorySession | undefined = holder; other !== undefined; other = other.waitsFor) {
    if (other === session) throw new MemoryDatabaseError('40P01', 'deadlock detected', true)
  }
  throw new Blocked(holder)
}
