import { createPool, type Pool } from '@rollcall/database'
import { createWakeUp } from '@rollcall/outbox'
import {
  createUserCommands,
  DEFAULT_GRACE_PERIOD_MS,
  LOCAL_PRINCIPAL,
  type UserCommands,
} from '@rollcall/user-registry'
import { uuidv7 } from 'uuidv7'
import { benchTools, readyCodec, sharedClockMs } from '../bench-tools.js'
import { answer } from '../child.js'
import { patchOf, profileOf } from '../registry-users.js'

/** Writes users in a process of its own, through the registry's commands, and wakes the relay after each commit. */
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
let users: string[] = []
let turn = 0

const REQUEST = { principal: LOCAL_PRINCIPAL, correlationId: 'bench' }

answer({
  async open({ databaseUrl, schemaRegistry, connections }) {
    const { logger } = benchTools()
    pool = createPool({ url: databaseUrl, max: connections, applicationName: 'bench writer' }, { logger })
    wakeUp = createWakeUp({ url: databaseUrl, logger })
    commands = createUserCommands({
      sql: pool,
      codec: await readyCodec(schemaRegistry),
      committed: () => wakeUp.poke(),
      now: () => new Date(),
      newId: uuidv7,
      gracePeriodMs: DEFAULT_GRACE_PERIOD_MS,
    })
  },

  async create(count) {
    users = []
    let next = 0
    await atOnce(16, async () => {
      while (next < count) {
        const index = next++
        users[index] = (await commands.create(profileOf(index + 1), REQUEST)).userId
      }
    })
  },

  async change({ perSecond, seconds, writers, pick }) {
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
        const user = pick === 'turns' ? index % users.length : Math.floor(Math.random() * users.length)
        const userId = users[user] as string
        const { version } = await commands.change(userId, { type: 'UpdateUser', patch: patchOf(++turn) }, REQUEST)
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
