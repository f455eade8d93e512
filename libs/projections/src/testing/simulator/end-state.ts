import { effectsOf } from '../../apply/apply-effects.js'
import type { ProjectedEvent, TableRow } from '../../define-projection.js'
import { checkTables, LawBroken } from './laws.js'
import { stepNow } from './live.js'
import { type MemoryDatabase, memoryDatabase } from './memory-database.js'
import type { MemoryPartition } from './memory-log.js'
import { memoryStore, type Tables, userTables } from './memory-store.js'
import type { UserNames } from './show.js'
import type { Subject } from './subject.js'

/** What the end of a simulation is judged by: where each user must arrive, and what is in the database and the topic. */
export interface EndState<E extends ProjectedEvent, Tx> {
  readonly subject: Subject<E, Tx>
  readonly database: MemoryDatabase
  readonly tables: Tables
  readonly partitions: readonly MemoryPartition[]
  readonly names: UserNames
  /** The last version of each user that entered the topic. */
  readonly targets: ReadonlyMap<string, number>
  /** The event of a user's version. */
  readonly eventOf: (userId: string, version: number) => E
  /** Milliseconds since the epoch. */
  readonly startMs: number
}

/** The end of one simulation: is it reached, and is it the right one. */
export interface EndChecks {
  /** True when everything in the topic was passed, and no operator's work is under way. */
  isDrained(): boolean
  /** True when nobody is parked, and no record is kept beside. */
  isClear(): boolean
  /** Who is neither parked nor at its last version. */
  blocked(): LawBroken | undefined
  /** How things stand, in words. */
  standing(): string
  /** @throws LawBroken when the tables are not the fold of the events */
  check(): Promise<void>
}

/** The checks of one simulation's end. */
export function endChecks<E extends ProjectedEvent, Tx>(end: EndState<E, Tx>): EndChecks {
  const { subject, database, tables, partitions, names, targets, eventOf } = end
  const { name, table } = subject.projection
  const parkedUsers = () => tables.parked(name).rows
  const versionOf = (userId: string) => tables.version(name).rows.get(userId) ?? 0

  return {
    isDrained() {
      const row = tables.projection.rows.get(name)
      if (row === undefined || row.state === 'paused') return false
      if (row.rebuild !== null && row.rebuild.phase !== 'done' && row.rebuild.phase !== 'failed') return false
      const checkpoints = tables.checkpoint(name).rows
      return partitions.every(({ high }, partition) => (checkpoints.get(String(partition))?.position ?? 0) >= high)
    },
    isClear: () => parkedUsers().size === 0 && tables.letter(name).rows.size === 0,
    blocked() {
      for (const [userId, target] of targets) {
        if (parkedUsers().has(userId) || versionOf(userId) >= target) continue
        const at = `stays at version ${versionOf(userId)} of ${target}`
        return new LawBroken('blocks', `${names.of(userId)} is not parked, and ${at}`)
      }
      return undefined
    },
    standing() {
      const checkpoints = [...tables.checkpoint(name).rows].map(
        ([partition, { position, claimedBy, failure }]) =>
          `partition ${partition} at ${position} of ${partitions[Number(partition)]?.high}, claimed by ${claimedBy}${failure === null ? '' : `, ${failure.message}`}`,
      )
      const parked = [...parkedUsers()].map(
        ([userId, { failures }]) => `${names.of(userId)} parked: ${failures.at(-1)?.message}`,
      )
      const behind = [...targets].flatMap(([userId, target]) =>
        versionOf(userId) < target ? [`${names.of(userId)} at version ${versionOf(userId)} of ${target}`] : [],
      )
      return [...checkpoints, ...parked, ...behind].join('; ')
    },
    async check() {
      for (const [userId, target] of targets) {
        if (versionOf(userId) === target) continue
        throw new LawBroken('gapless', `${names.of(userId)} ends at version ${versionOf(userId)} of ${target}`)
      }
      checkTables(userTables(database), await wantedTables(), names)
    },
  }

  async function wantedTables() {
    const { rowOf } = subject
    if (rowOf === undefined) {
      subject.watch(undefined)
      const events = [...targets].flatMap(([userId, target]) =>
        Array.from({ length: target }, (_, index) => eventOf(userId, index + 1)),
      )
      return userTables(await folded(subject, events, end.startMs))
    }
    // The fold of a `table` projection is the row of each user's last event.
    const wanted = memoryDatabase().table<TableRow>(table?.name ?? '')
    for (const [userId, target] of targets) {
      const row = rowOf(eventOf(userId, target))
      if (row !== null) wanted.rows.set(userId, row)
    }
    return [wanted]
  }
}

/** Where the handlers lead when each event is given to them once, in order, and nothing ever fails. */
async function folded<E extends ProjectedEvent, Tx>(
  subject: Subject<E, Tx>,
  events: readonly E[],
  startMs: number,
): Promise<MemoryDatabase> {
  const database = memoryDatabase()
  const store = memoryStore<Tx>({
    database,
    now: () => startMs,
    step: stepNow,
    tx: (tables, session) => subject.tx(tables, session),
  })
  const effects = effectsOf(subject.projection)
  await store.transaction(async (transaction) => {
    for (const event of events) await effects.apply([event], transaction, [])
  })
  return database
}
