import type { ProjectedEvent } from '../../define-projection.js'
import { drawAt } from './chance.js'
import type { LawBroken } from './laws.js'
import type { MemoryDatabase } from './memory-database.js'
import type { Tables } from './memory-store.js'
import type { Schedule } from './schedule.js'
import { nameOfUser, type UserNames } from './show.js'
import type { Subject } from './subject.js'
import type { VirtualTime } from './virtual-time.js'

/** What everything in one simulation stands on: who is simulated, the time, the database, chance, and how far it has come. */
export interface World<E extends ProjectedEvent, Tx> {
  readonly subject: Subject<E, Tx>
  readonly schedule: Schedule
  readonly cast: Cast<E>
  readonly time: VirtualTime
  readonly database: MemoryDatabase
  readonly tables: Tables
  readonly isTraced: boolean
  /** Adds a line to the trace, when there is one. */
  tell(line: () => string): void
  /** The next 32 bits that belong to no process. */
  draw(place: number): number
  /** Does a thing of the schedule's own; until then the simulation is not over. */
  later(inMs: number, work: () => void): void
  readonly progress: Progress
}

/** How far a simulation has come. */
export interface Progress {
  broken: LawBroken | undefined
  isMended: boolean
  /** Something was committed or written since the state was last looked at. */
  isChanged: boolean
  /** Writes, and faults with a time of their own, that are still to come. */
  toCome: number
  steps: number
}

/** The users of a schedule, each with a history of the subject's. */
export interface Cast<E> {
  readonly names: UserNames
  has(user: number): boolean
  idOf(user: number): string
  /** By the schedule's number of the user. */
  eventOf(user: number, version: number): E
  /** By the user's id. */
  eventOfId(userId: string, version: number): E
}

/** The users the schedule writes. */
export function castOf<E extends ProjectedEvent, Tx>(subject: Subject<E, Tx>, { seed, writes }: Schedule): Cast<E> {
  const users = new Set(writes.map(({ user }) => user))
  const historyOf = (user: number) => subject.historyOf(seed, user)
  const idOf = (user: number) => subject.userId(historyOf(user))
  const userOf = new Map([...users].map((user) => [idOf(user), user]))
  const historyOfId = new Map([...users].map((user) => [idOf(user), historyOf(user)]))
  return {
    names: {
      of(userId) {
        const user = userOf.get(userId)
        return user === undefined ? userId : nameOfUser(user)
      },
    },
    has: (user) => users.has(user),
    idOf,
    eventOf: (user, version) => subject.event(historyOf(user), version),
    eventOfId: (userId, version) => subject.event(historyOfId.get(userId) ?? 0, version),
  }
}

/** A world in which nothing has happened yet. */
export function worldOf<E extends ProjectedEvent, Tx>(
  parts: Pick<World<E, Tx>, 'subject' | 'schedule' | 'cast' | 'time' | 'database' | 'tables' | 'isTraced' | 'tell'> & {
    readonly progress: Progress
  },
): World<E, Tx> {
  const { time, progress } = parts
  const { seed } = parts.schedule
  let draws = 0
  return {
    ...parts,
    draw: (place) => drawAt(seed, place, draws++),
    later(inMs, work) {
      progress.toCome++
      time.after(inMs, undefined, () => {
        progress.toCome--
        progress.isChanged = true
        work()
      })
    },
  }
}
