import type { Sql } from '@rollcall/database'
import type { TableRow } from '../../define-projection.js'
import type { DeadLetter, ParkedUser, Parking, ParkingLimits } from '../../parking/parking.js'
import type { PartitionFailure } from '../../parking/partition-failure.js'
import { hasEnded, type RebuildProgress } from '../../rebuild/rebuild-progress.js'
import type {
  Checkpoint,
  Claim,
  Move,
  OperatorAct,
  ProjectionRow,
  ProjectionState,
  ProjectionStore,
  StoreTransaction,
} from '../../store/projection-store.js'
import {
  BEGINS_ANEW,
  Blocked,
  commit,
  lockRow,
  lockTable,
  type MemoryDatabase,
  MemoryDatabaseError,
  type MemorySession,
  type MemoryTable,
  readRow,
  rollback,
  scan,
  useTable,
  writeRow,
} from './memory-database.js'
import { type MemoryTables, memoryTables } from './memory-tables.js'

/** Runs one statement of a store when its time has come; it may find itself blocked and be run again. */
export type Step = <T>(label: string, session: MemorySession | undefined, execute: () => T) => Promise<T>

export interface MemoryStoreOptions<Tx> {
  readonly database: MemoryDatabase
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly step: Step
  /** What handlers get: the rows themselves, or the team's own face over them. */
  readonly tx: (tables: MemoryTables, session: MemorySession) => Tx
  /** Where several stores share a database, they may share these. */
  readonly tables?: Tables
}

/** The `ProjectionStore` in memory, rule for rule as `pgStore` keeps it over Postgres; `store-contract` holds both to it. */
export function memoryStore<Tx>(options: MemoryStoreOptions<Tx>): ProjectionStore<Tx> {
  const { database, now, step } = options
  const t = options.tables ?? tablesOf(database)

  /** One statement that is a transaction of its own. */
  const alone = <R>(label: string, execute: (session: MemorySession) => R): Promise<R> => {
    const session = database.begin()
    return step(label, session, () => {
      try {
        const result = execute(session)
        commit(session)
        return result
      } catch (error) {
        if (!(error instanceof Blocked)) rollback(session)
        throw error
      }
    })
  }

  return {
    async register({ name, version }, topic) {
      const there = (await step('register', undefined, () => readProjections(t, [name], now)))[0]
      if (there !== undefined) return there
      await alone('register', (session) => {
        lockRow(session, t.projection, name)
        if (readRow(session, t.projection, name) !== undefined) return
        const row = { version, topic, state: 'running' as const, rebuild: null, rebuildAt: null }
        writeRow(session, t.projection, name, row)
      })
      const row = (await step('register', undefined, () => readProjections(t, [name], now)))[0]
      if (row === undefined) throw new Error(`projection ${name} was removed while it was registered`)
      return row
    },
    claim: (name, owner, startAt) => alone('claim', (session) => claim(session, t, name, owner, startAt, now())),
    transaction: (work) => transaction(options, t, work),
    fail: (claimed, failure) =>
      alone('fail', (session) => {
        const key = String(claimed.partition)
        const table = t.checkpoint(claimed.name)
        lockRow(session, table, key)
        const row = readRow(session, table, key)
        if (row?.epoch !== claimed.epoch) return false
        writeRow(session, table, key, { ...row, failure })
        return true
      }),
    read: (names) => step('read', undefined, () => readProjections(t, names, now)),
    knownVersion: (name, userId) => step('known version', undefined, () => t.version(name).rows.get(userId) ?? 0),
    usersProgress: (name, userIds) =>
      step('users progress', undefined, () =>
        userIds.map((userId) => ({
          userId,
          version: t.version(name).rows.get(userId) ?? 0,
          parkedSince: t.parked(name).rows.get(userId)?.parkedAt ?? null,
        })),
      ),
    parkedUsers: (name, partitions) =>
      step('parked users', undefined, () => {
        const parked = new Map<number, Set<string>>(partitions.map((partition) => [partition, new Set<string>()]))
        for (const [userId, { partition }] of t.parked(name).rows) parked.get(partition)?.add(userId)
        return parked
      }),
    listParked: (name, limit) =>
      step('list parked', undefined, () => {
        const users = [...t.parked(name).rows].map(([userId, row]) => parkedUser(t, name, userId, row)).sort(byParkedAt)
        const unnamed = [...t.letter(name).rows.values()].flatMap(({ letter, failure }) =>
          letter.userId !== undefined || failure === null
            ? []
            : [{ partition: letter.partition, offset: letter.offset, failure }],
        )
        return { users: users.slice(0, limit), totalUsers: users.length, unnamed: unnamed.slice(0, limit) }
      }),
    findParked: (name, userId) =>
      step('find parked', undefined, () => {
        const row = t.parked(name).rows.get(userId)
        return row && parkedUser(t, name, userId, row)
      }),
    gaps: (name, limit) =>
      step('gaps', undefined, () => {
        const gaps = new Map<string, PartitionFailure>()
        for (const [userId, { failures }] of t.parked(name).rows) {
          const last = failures.at(-1)
          if (last?.code === 'ERR_PROJECTION_VERSION_GAP' && gaps.size < limit) gaps.set(userId, last)
        }
        return gaps
      }),
    setState: (name, state) =>
      alone('set state', (session) => {
        lockRow(session, t.projection, name)
        const row = readRow(session, t.projection, name)
        if (row === undefined) return
        if (state === 'running') {
          const table = t.checkpoint(name)
          for (const [key, one] of scan(session, table)) {
            if (one.failure !== null) writeRow(session, table, key, { ...one, failure: null })
          }
        }
        const isUnderWay = row.rebuild !== null && !hasEnded(row.rebuild)
        const next: ProjectionState = state === 'running' && isUnderWay ? 'rebuilding' : state
        writeRow(session, t.projection, name, { ...row, state: next })
      }),
    setRebuild: (name, progress) =>
      alone('set rebuild', (session) => {
        lockRow(session, t.projection, name)
        const row = readRow(session, t.projection, name)
        if (row === undefined) return
        const ended = hasEnded(progress)
        const state = row.state === 'paused' ? row.state : ended ? 'running' : 'rebuilding'
        writeRow(session, t.projection, name, { ...row, rebuild: progress, rebuildAt: now(), state })
      }),
    isTransient: (error) => error instanceof MemoryDatabaseError && error.isTransient,
    outside: NO_SQL,
  }
}

async function transaction<Tx, R>(
  options: MemoryStoreOptions<Tx>,
  t: Tables,
  work: (transaction: StoreTransaction<Tx>) => Promise<R>,
): Promise<R> {
  const { database, step } = options
  const session = database.begin()
  try {
    const result = await work(storeTransaction(session, options, t))
    await step('commit', session, () => {
      if (session.state === 'failed') {
        rollback(session)
        throw ABORTED
      }
      commit(session)
    })
    return result
  } catch (error) {
    if (session.state === 'open' || session.state === 'failed') {
      await step('rollback', session, () => rollback(session))
    }
    throw error
  }
}

const ABORTED = new MemoryDatabaseError(
  'ERR_TRANSACTION_ABORTED',
  'Nothing was committed: a statement of this transaction failed and its error was swallowed; let it reject.',
  false,
)

function storeTransaction<Tx>(
  session: MemorySession,
  { step, now, tx }: MemoryStoreOptions<Tx>,
  t: Tables,
): StoreTransaction<Tx> {
  const run = <R>(label: string, execute: () => R): Promise<R> => step(label, session, execute)
  let handlersTx: { readonly tx: Tx } | undefined
  return {
    get tx() {
      handlersTx ??= { tx: tx(memoryTables(session, t.user, run), session) }
      return handlersTx.tx
    },
    sql: NO_SQL,
    rows: {
      upsert: ({ name, key }, rows) =>
        run('write rows', () => {
          const table = t.user(name)
          for (const row of rows) upsertRow(session, table, String(row[key]), row)
        }),
      remove: ({ name }, keys) =>
        run('remove rows', () => {
          for (const key of keys) writeRow(session, t.user(name), key, undefined)
        }),
      clear: (name) =>
        run('clear rows', () => {
          for (const [key] of [...scan(session, t.user(name))]) writeRow(session, t.user(name), key, undefined)
        }),
    },
    advance(moves, userIds) {
      let snapshot: Map<string, number> | undefined
      return run('advance', () => {
        // One statement, one snapshot: what it waits for does not change the versions it answers.
        snapshot ??= versionsOf(session, t, moves[0]?.claim.name, userIds)
        return advance(session, t, moves) ? snapshot : undefined
      })
    },
    park: (name, parkings, limits) => run('park', () => park(session, t, name, parkings, limits, now())),
    openParked(name, userId, limit) {
      return run('open parked', () => {
        const seen = t.parked(name).rows.get(userId)
        if (seen === undefined) return undefined
        const checkpoints = t.checkpoint(name)
        const place = String(seen.partition)
        lockRow(session, checkpoints, place)
        const checkpoint = readRow(session, checkpoints, place)
        if (checkpoint !== undefined) {
          writeRow(session, checkpoints, place, { ...checkpoint, parking: checkpoint.parking + 1 })
        }
        lockRow(session, t.parked(name), userId)
        const row = readRow(session, t.parked(name), userId)
        if (row === undefined) return undefined
        const letters = lettersOf(session, t, name, userId).slice(0, limit)
        const knownVersion = readRow(session, t.version(name), userId) ?? 0
        return { partition: row.partition, failures: row.failures, knownVersion, letters }
      })
    },
    dropLetters: (name, userId, upTo) =>
      run('drop letters', () => {
        const letters = lettersOf(session, t, name, userId)
        const gone = letters.filter(({ offset }) => offset <= upTo)
        for (const letter of gone) writeRow(session, t.letter(name), letterKey(letter), undefined)
        const left = letters.length - gone.length
        if (left === 0) writeRow(session, t.parked(name), userId, undefined)
        return { dropped: gone.length, version: Math.max(0, ...gone.map(({ version }) => version ?? 0)), left }
      }),
    addFailure: (name, userId, failure) =>
      run('add failure', () => {
        lockRow(session, t.parked(name), userId)
        const row = readRow(session, t.parked(name), userId)
        if (row !== undefined) {
          writeRow(session, t.parked(name), userId, { ...row, failures: [...row.failures, failure] })
        }
      }),
    noteAct: (act) => run('note act', () => writeRow(session, t.act, String(t.act.rows.size + t.act.locks.size), act)),
    recordVersions(name, versions) {
      if (versions.size === 0) return Promise.resolve()
      return run('record versions', () => {
        const table = t.version(name)
        useTable(session, table)
        for (const [userId, version] of versions) writeRow(session, table, userId, version)
      })
    },
    async rewind({ name, version }, startAt, progress) {
      await run('lock versions', () => lockTable(session, t.version(name)))
      await run('rewind', () => {
        session.notes.push(BEGINS_ANEW)
        const checkpoints = t.checkpoint(name)
        for (const [partition, position] of [...startAt].sort(([a], [b]) => a - b)) {
          const key = String(partition)
          lockRow(session, checkpoints, key)
          const row = readRow(session, checkpoints, key)
          const fresh = { position, claimedBy: null, claimedAt: null, recordAt: null, failure: null, haltAt: null }
          writeRow(session, checkpoints, key, { ...fresh, epoch: (row?.epoch ?? 0) + 1, parking: row?.parking ?? 0 })
        }
        for (const table of [t.version(name), t.parked(name), t.letter(name)] as MemoryTable<unknown>[]) {
          for (const [key] of [...scan(session, table)]) writeRow(session, table, key, undefined)
        }
        lockRow(session, t.projection, name)
        const row = readRow(session, t.projection, name)
        if (row === undefined) return
        const rebuilding = { ...row, version, state: 'rebuilding' as const, rebuild: progress, rebuildAt: now() }
        writeRow(session, t.projection, name, rebuilding)
      })
    },
  }
}

/** The tables a store keeps, and the read model's own. */
export interface Tables {
  readonly projection: MemoryTable<StoredProjection>
  readonly act: MemoryTable<OperatorAct>
  checkpoint(name: string): MemoryTable<StoredCheckpoint>
  version(name: string): MemoryTable<number>
  parked(name: string): MemoryTable<StoredParked>
  letter(name: string): MemoryTable<StoredLetter>
  user(table: string): MemoryTable<TableRow>
}

export type StoredCheckpoint = Omit<Checkpoint, 'partition'>

interface StoredProjection {
  readonly version: number
  readonly topic: string
  readonly state: ProjectionState
  readonly rebuild: RebuildProgress | null
  readonly rebuildAt: number | null
}

export interface StoredParked {
  readonly partition: number
  readonly parkedAt: Date
  readonly failures: readonly PartitionFailure[]
}

export interface StoredLetter {
  readonly letter: DeadLetter
  readonly failure: PartitionFailure | null
}

const PREFIX = 'projections.'

export function tablesOf(database: MemoryDatabase): Tables {
  // Asked for with every statement, nearly always for the same projection.
  const remembered = <V>(kind: string) => {
    let last: { readonly name: string; readonly table: MemoryTable<V> } | undefined
    return (name: string) => {
      if (last?.name !== name) last = { name, table: database.table(`${PREFIX}${kind} ${name}`) }
      return last.table
    }
  }
  return {
    projection: database.table(`${PREFIX}projection`),
    act: database.table(`${PREFIX}operator_act`),
    checkpoint: remembered('checkpoint'),
    version: remembered('applied_version'),
    parked: remembered('parked_user'),
    letter: remembered('dead_letter'),
    user: (table) => database.table(table),
  }
}

/** The tables of the read model: all that are not the library's own. */
export const userTables = ({ tables }: MemoryDatabase) =>
  [...tables.values()].filter(({ name }) => !name.startsWith(PREFIX)) as MemoryTable<TableRow>[]

export const letterKey = ({ partition, offset }: Pick<DeadLetter, 'partition' | 'offset'>) => `${partition}:${offset}`

/** INSERT … ON CONFLICT DO UPDATE: columns that are not named keep their values. */
export function upsertRow(session: MemorySession, table: MemoryTable<TableRow>, key: string, row: TableRow): void {
  lockRow(session, table, key)
  const before = readRow(session, table, key)
  writeRow(session, table, key, before === undefined ? row : { ...before, ...row })
}

function readProjections(t: Tables, names: readonly string[], now: () => number): ProjectionRow[] {
  return names.flatMap((name) => {
    const row = t.projection.rows.get(name)
    if (row === undefined) return []
    const { version, topic, state, rebuild, rebuildAt } = row
    const checkpoints = [...t.checkpoint(name).rows]
      .map(([partition, one]) => ({ partition: Number(partition), ...one }))
      .sort((a, b) => a.partition - b.partition)
    const rebuildAgeMs = rebuildAt === null ? null : now() - rebuildAt
    const parkedUsers = t.parked(name).rows.size
    return [{ name, version, topic, state, rebuild, rebuildAgeMs, checkpoints, parkedUsers, expiresAt: null }]
  })
}

function claim(
  session: MemorySession,
  t: Tables,
  name: string,
  owner: string,
  startAt: ReadonlyMap<number, number>,
  now: number,
): Claim[] {
  const table = t.checkpoint(name)
  return [...startAt]
    .sort(([a], [b]) => a - b)
    .map(([partition, start]) => {
      const key = String(partition)
      lockRow(session, table, key)
      const { position, epoch, parking, recordAt } = readRow(session, table, key) ?? fresh(start)
      const claimed = { position, parking, recordAt, epoch: epoch + 1, claimedBy: owner, failure: null, haltAt: null }
      writeRow(session, table, key, { ...claimed, claimedAt: new Date(now) })
      return { name, owner, partition, position, epoch: epoch + 1, parking, haltAt: null }
    })
}

const fresh = (position: number) => ({ position, epoch: 0, parking: 0, recordAt: null })

function versionsOf(session: MemorySession, t: Tables, name: string | undefined, userIds: readonly string[]) {
  const known = new Map<string, number>()
  if (name === undefined) return known
  const table = t.version(name)
  useTable(session, table)
  for (const userId of userIds) {
    const version = readRow(session, table, userId)
    if (version !== undefined) known.set(userId, version)
  }
  return known
}

function advance(session: MemorySession, t: Tables, moves: readonly Move[]): boolean {
  const sorted = moves.length > 1 ? [...moves].sort((a, b) => a.claim.partition - b.claim.partition) : moves
  let moved = 0
  for (const { claim: mine, to, recordAt } of sorted) {
    const table = t.checkpoint(mine.name)
    const key = String(mine.partition)
    lockRow(session, table, key)
    const row = readRow(session, table, key)
    const isOurs = row?.epoch === mine.epoch && row.position === mine.position && row.parking === mine.parking
    if (!isOurs) continue
    writeRow(session, table, key, { ...row, position: to, recordAt: recordAt ?? row.recordAt })
    moved++
  }
  return moved === moves.length
}

function park(
  session: MemorySession,
  t: Tables,
  name: string,
  parkings: readonly Parking[],
  limits: ParkingLimits,
  now: number,
) {
  const parked = t.parked(name)
  const newcomers = parkings.filter(({ letter, failure }) => letter.userId !== undefined && failure !== undefined)
  for (const { letter, failure } of newcomers) {
    const userId = letter.userId as string
    lockRow(session, parked, userId)
    if (readRow(session, parked, userId) !== undefined) continue
    const failures = [failure as PartitionFailure]
    writeRow(session, parked, userId, { partition: letter.partition, parkedAt: new Date(now), failures })
  }
  if (newcomers.length > 0) {
    const over = [...scan(session, parked)].length - limits.users
    const first = over > 0 ? newcomers.at(-Math.min(over, newcomers.length))?.letter : undefined
    if (first !== undefined) {
      const problem = `More than ${limits.users} users would be parked: that is no longer a matter of single users`
      return { offset: first.offset, problem }
    }
  }
  const letters = t.letter(name)
  const touched = new Set<string>()
  for (const { letter, failure } of parkings) {
    const key = letterKey(letter)
    lockRow(session, letters, key)
    if (readRow(session, letters, key) !== undefined) continue
    const isAlone = letter.userId === undefined && failure !== undefined
    writeRow(session, letters, key, { letter, failure: isAlone ? failure : null })
    if (letter.userId !== undefined) touched.add(letter.userId)
  }
  for (const userId of touched) {
    const excess = lettersOf(session, t, name, userId).length - limits.lettersPerUser
    if (excess <= 0) continue
    const theirs = parkings.filter(({ letter }) => letter.userId === userId)
    return {
      offset: theirs.at(-Math.min(excess, theirs.length))?.letter.offset ?? 0,
      problem: `More than ${limits.lettersPerUser} records would wait behind one parked user`,
    }
  }
  return undefined
}

function lettersOf(session: MemorySession, t: Tables, name: string, userId: string): DeadLetter[] {
  const found: DeadLetter[] = []
  for (const [, { letter }] of scan(session, t.letter(name))) if (letter.userId === userId) found.push(letter)
  return found.sort((a, b) => a.offset - b.offset)
}

function parkedUser(t: Tables, name: string, userId: string, row: StoredParked): ParkedUser {
  let letters = 0
  for (const { letter } of t.letter(name).rows.values()) if (letter.userId === userId) letters++
  return { userId, letters, ...row }
}

const byParkedAt = (a: ParkedUser, b: ParkedUser) =>
  a.parkedAt.getTime() - b.parkedAt.getTime() || (a.userId < b.userId ? -1 : 1)

const NO_SQL: Sql = {
  query: () => {
    throw new TypeError(
      'The database of the simulator reads no SQL: give `tx`, and write handlers against what it answers.',
    )
  },
}
