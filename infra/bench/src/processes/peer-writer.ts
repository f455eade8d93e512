import { setTimeout as delay } from 'node:timers/promises'
import { createPool, type Pool } from '@rollcall/database'
import { createWakeUp } from '@rollcall/outbox'
import { benchTools, sharedClockMs } from '../bench-tools.js'
import { answer } from '../child.js'
import { type OutboxForm, outboxForms, type PeerName, subjectId } from '../peers/outbox-form.js'

/** Commits messages for a peer, in a process of its own. */
export type PeerWriterCommands = {
  open(options: PeerWriterOptions): Promise<void>
  /** One statement a message, at an even pace, users in turns; the writer knows each version. */
  steady(load: SteadyLoad): Promise<Committed>
  /** Transactions of several statements, some slow, some rolled back, that meet on few users. */
  hot(load: HotLoad): Promise<Committed>
  close(): Promise<void>
}

export interface PeerWriterOptions {
  readonly name: PeerName
  readonly url: string
  readonly value: Uint8Array
}

export interface SteadyLoad {
  readonly perSecond: number
  readonly seconds: number
}

export interface HotLoad {
  readonly users: number
  readonly writers: number
  readonly seconds: number
}

export interface Committed {
  readonly keys: readonly string[]
  readonly versions: readonly number[]
  readonly committedAtMs: readonly number[]
  readonly perSecond: number
}

export const STEADY_USERS = 5_000
const WRITERS = 16
const SLOW = 0.3
const SLOW_MS = 20
const ROLLED_BACK = 0.05

let pool: Pool
let form: OutboxForm
let value: Buffer
let wakeUp: ReturnType<typeof createWakeUp> | undefined
let steadyStatement: string
const versions: number[] = new Array(STEADY_USERS).fill(0)
let turn = 0

answer({
  async open(options) {
    const { logger } = benchTools()
    pool = createPool({ url: options.url, max: 24, applicationName: 'bench writer' }, { logger })
    form = outboxForms[options.name]
    value = Buffer.from(options.value)
    // Only Rollcall's relay listens; its documentation says to wake it after the commit.
    if (options.name === 'rollcall') wakeUp = createWakeUp({ url: options.url, logger })
    steadyStatement = `WITH u AS (UPDATE subject SET version = $2 WHERE id = $1 AND version = $2 - 1 RETURNING id, version)
      ${form.insertFrom('SELECT id, version, $3::bytea AS bytes FROM u')}`
    await addSubjects('steady', STEADY_USERS)
  },

  async steady({ perSecond, seconds }) {
    const log = startLog()
    const count = Math.round(perSecond * seconds)
    let next = 0
    await atOnce(WRITERS, async () => {
      while (next < count) {
        const index = next++
        await dueAt(log.startedAt + (index * 1_000) / perSecond)
        const user = turn++ % STEADY_USERS
        const key = subjectId('steady', user)
        const version = (versions[user] as number) + 1
        const values = [key, version, form.bytesOf(key, version, value)]
        const { rowCount } = await pool.query({ name: 'steady', text: steadyStatement, values })
        if (rowCount !== 1) throw new Error('a write found another version than it was decided on')
        versions[user] = version
        log.committed(key, version)
        wakeUp?.poke()
      }
    })
    return log.end()
  },

  async hot({ users, writers, seconds }) {
    await addSubjects('hot', users)
    const log = startLog()
    await atOnce(writers, async () => {
      const client = await pool.connect()
      while (performance.now() < log.startedAt + seconds * 1_000) {
        const key = subjectId('hot', Math.floor(Math.random() * users))
        await client.query('BEGIN')
        if (Math.random() < SLOW) {
          // Its transaction id is drawn long before the user's row is locked: order by transaction id is not commit order.
          await client.query('INSERT INTO elsewhere VALUES (now())')
          await delay(Math.random() * SLOW_MS)
        }
        const { rows } = await client.query({ name: 'raise', text: RAISE, values: [key] })
        const version = Number(rows[0]?.version)
        await client.query({
          name: 'append',
          text: append(),
          values: [key, version, form.bytesOf(key, version, value)],
        })
        const isRolledBack = Math.random() < ROLLED_BACK
        await client.query(isRolledBack ? 'ROLLBACK' : 'COMMIT')
        if (isRolledBack) continue
        log.committed(key, version)
        wakeUp?.poke()
      }
      client.release()
    })
    return log.end()
  },

  async close() {
    await wakeUp?.close()
    await pool.end()
  },
} satisfies PeerWriterCommands)

const RAISE = 'UPDATE subject SET version = version + 1 WHERE id = $1 RETURNING version'
const append = () => form.insertFrom('SELECT $1::uuid AS id, $2::bigint AS version, $3::bytea AS bytes')

async function addSubjects(phase: 'steady' | 'hot', count: number): Promise<void> {
  const ids = Array.from({ length: count }, (_, index) => subjectId(phase, index))
  await pool.query('INSERT INTO subject SELECT unnest($1::uuid[]), 0 ON CONFLICT DO NOTHING', [ids])
}

function startLog() {
  const keys: string[] = []
  const ofKeys: number[] = []
  const committedAtMs: number[] = []
  const startedAt = performance.now()
  return {
    startedAt,
    committed(key: string, version: number) {
      committedAtMs.push(sharedClockMs())
      keys.push(key)
      ofKeys.push(version)
    },
    end: (): Committed => ({
      keys,
      versions: ofKeys,
      committedAtMs,
      perSecond: keys.length / ((performance.now() - startedAt) / 1_000),
    }),
  }
}

const atOnce = (width: number, work: () => Promise<void>) => Promise.all(Array.from({ length: width }, work))

async function dueAt(ms: number): Promise<void> {
  const waitMs = ms - performance.now()
  if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
}
