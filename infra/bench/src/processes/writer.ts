import { createPool, type Pool } from '@rollcall/database'
import { createWakeUp } from '@rollcall/outbox'
import { writeUser } from '@rollcall/user-registry'
import { benchTools, readyCodec, sharedClockMs } from '../bench-tools.js'
import { answer } from '../child.js'
import { changeOf, creationOf, type UserState } from '../registry-users.js'

/** Writes users in a process of its own, through the registry's write path, and wakes the relay after each commit. */
export type WriterCommands = {
  open(options: WriterOptions): Promise<void>
  /** Creates users 1 to `users`; they are what `change` works on. */
  create(users: number): Promise<void>
  change(load: ChangeLoad): Promise<ChangeLog>
  close(): Promise<void>
}

export interface WriterOptions {
  readonly databaseUrl: string
  readonly schemaRegistry: string
  readonly connections: number
}

export interface ChangeLoad {
  /** Changes offered per second, evenly spaced, whether or not the former ones are done (an open loop). */
  readonly perSecond: number
  readonly seconds: number
  readonly writers: number
  /** Users take turns, or each change picks one at random. */
  readonly pick: 'turns' | 'random'
}

export interface ChangeLog {
  readonly userIds: readonly string[]
  readonly versions: readonly number[]
  /** When the commit was answered, by the shared clock. */
  readonly committedAtMs: readonly number[]
  readonly endedAtMs: number
  readonly perSecond: number
  /** Writes that another writer's version came before; each was decided and tried again. */
  readonly conflicts: number
}

let pool: Pool
let codec: Awaited<ReturnType<typeof readyCodec>>
let wakeUp: ReturnType<typeof createWakeUp>
let states: UserState[] = []
let turn = 0

answer({
  async open({ databaseUrl, schemaRegistry, connections }) {
    const { logger } = benchTools()
    pool = createPool({ url: databaseUrl, max: connections, applicationName: 'bench writer' }, { logger })
    wakeUp = createWakeUp({ url: databaseUrl, logger })
    codec = await readyCodec(schemaRegistry)
  },

  async create(users) {
    states = []
    let next = 0
    await atOnce(16, async () => {
      while (next < users) {
        const index = next++
        const write = creationOf(index + 1, codec)
        await writeUser(pool, write)
        states[index] = write.decision.next
        wakeUp.poke()
      }
    })
  },

  async change({ perSecond, seconds, writers, pick }) {
    const count = Math.round(perSecond * seconds)
    const userIds: string[] = []
    const versions: number[] = []
    const committedAtMs: number[] = []
    const losers = new Map<number, (() => void)[]>()
    const losersOf = (user: number) => {
      const known = losers.get(user) ?? []
      losers.set(user, known)
      return known
    }
    let conflicts = 0
    let next = 0
    const startedAt = performance.now()
    await atOnce(writers, async () => {
      // What is still not begun when the time is up stays undone: the rate reached says so.
      while (next < count && performance.now() < startedAt + seconds * 1_000) {
        const index = next++
        await dueAt(startedAt + (index * 1_000) / perSecond)
        const user = pick === 'turns' ? index % states.length : Math.floor(Math.random() * states.length)
        for (;;) {
          const before = states[user] as UserState
          const write = changeOf(before, ++turn, codec)
          if (await writeUser(pool, write)) {
            const { next: after } = write.decision
            committedAtMs.push(sharedClockMs())
            userIds.push(after.user.id)
            versions.push(after.user.version)
            states[user] = after
            for (const wake of losersOf(user).splice(0)) wake()
            wakeUp.poke()
            break
          }
          conflicts++
          // The winner's answer is on its way; a registry would read the row again in this time.
          if (states[user] === before) await new Promise<void>((resolve) => losersOf(user).push(resolve))
        }
      }
    })
    const endedAtMs = sharedClockMs()
    const tookS = (performance.now() - startedAt) / 1_000
    return { userIds, versions, committedAtMs, endedAtMs, perSecond: userIds.length / tookS, conflicts }
  },

  async close() {
    await wakeUp.close()
    await pool.end()
  },
} satisfies WriterCommands)

const atOnce = (width: number, work: () => Promise<void>) => Promise.all(Array.from({ length: width }, work))

async function dueAt(ms: number): Promise<void> {
  const waitMs = ms - performance.now()
  if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
}
