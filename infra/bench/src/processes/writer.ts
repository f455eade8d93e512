import { createPool, type Pool } from '@rollcall/database'
import { createWakeUp } from '@rollcall/outbox'
import {
  createUserCommands,
  createUserTurns,
  DEFAULT_GRACE_PERIOD_MS,
  LOCAL_PRINCIPAL,
  type UserCommands,
  writeUser,
} from '@rollcall/user-registry'
import { uuidv7 } from 'uuidv7'
import { benchTools, readyCodec, sharedClockMs } from '../bench-tools.js'
import { answer } from '../child.js'
import { changeOf, creationOf, patchOf, type UserState } from '../registry-users.js'

/** Writes users in a process of its own, as the registry does it, and wakes the relay after each commit. */
export type WriterCommands = {
  open(options: WriterOptions): Promise<void>
  /** Creates users 1 to `count`; they are what `change` works on. */
  create(count: number): Promise<void>
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
  /**
   * `statement`: decided on the state the last write left, encoded, and written by the registry's one statement.
   * `commands`: all a request costs behind HTTP, reading and validating included. Not to be followed by `statement`.
   */
  readonly through: 'statement' | 'commands'
}

export interface ChangeLog {
  readonly userIds: readonly string[]
  readonly versions: readonly number[]
  /** When the commit was answered, by the shared clock. */
  readonly committedAtMs: readonly number[]
  readonly endedAtMs: number
  readonly perSecond: number
}

let pool: Pool
let wakeUp: ReturnType<typeof createWakeUp>
let commands: UserCommands
let codec: Awaited<ReturnType<typeof readyCodec>>
let states: UserState[] = []
let turn = 0

const takeTurns = createUserTurns()

const CHANGE = {
  statement: (user: number) =>
    takeTurns(String(user), async () => {
      const write = changeOf(states[user] as UserState, ++turn, codec)
      if (!(await writeUser(pool, write))) throw new Error('a write found another version than it was decided on')
      states[user] = write.decision.next
      wakeUp.poke()
      return { userId: write.decision.next.user.id, version: write.decision.next.user.version }
    }),
  commands: (user: number) => {
    const command = { type: 'UpdateUser', patch: patchOf(++turn) } as const
    return commands.change((states[user] as UserState).user.id, command, REQUEST)
  },
}

const REQUEST = { principal: LOCAL_PRINCIPAL, correlationId: 'bench' }

answer({
  async open({ databaseUrl, schemaRegistry, connections }) {
    const { logger } = benchTools()
    pool = createPool({ url: databaseUrl, max: connections, applicationName: 'bench writer' }, { logger })
    wakeUp = createWakeUp({ url: databaseUrl, logger })
    codec = await readyCodec(schemaRegistry)
    commands = createUserCommands({
      sql: pool,
      codec,
      committed: () => wakeUp.poke(),
      now: () => new Date(),
      newId: uuidv7,
      gracePeriodMs: DEFAULT_GRACE_PERIOD_MS,
    })
  },

  async create(count) {
    states = []
    let next = 0
    await atOnce(16, async () => {
      while (next < count) {
        const index = next++
        const write = creationOf(index + 1, codec)
        await writeUser(pool, write)
        states[index] = write.decision.next
        wakeUp.poke()
      }
    })
  },

  async change({ perSecond, seconds, writers, pick, through }) {
    const count = Math.round(perSecond * seconds)
    const userIds: string[] = []
    const versions: number[] = []
    const committedAtMs: number[] = []
    let next = 0
    const startedAt = performance.now()
    await atOnce(writers, async () => {
      // What is still not begun when the time is up stays undone: the rate reached says so.
      while (next < count && performance.now() < startedAt + seconds * 1_000) {
        const index = next++
        await dueAt(startedAt + (index * 1_000) / perSecond)
        const user = pick === 'turns' ? index % states.length : Math.floor(Math.random() * states.length)
        const { userId, version } = await CHANGE[through](user)
        committedAtMs.push(sharedClockMs())
        userIds.push(userId)
        versions.push(version)
      }
    })
    const endedAtMs = sharedClockMs()
    const tookS = (performance.now() - startedAt) / 1_000
    return { userIds, versions, committedAtMs, endedAtMs, perSecond: userIds.length / tookS }
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
