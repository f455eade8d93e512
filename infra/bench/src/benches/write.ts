import type { EventCodec, UserLifecycleEvent } from '@rollcall/events'
import { registryMigrations, type UserWrite, writeUser } from '@rollcall/user-registry'
import type { Bench, Result } from '../bench.js'
import { openBenchDatabase, readyCodec } from '../bench-tools.js'
import { interleave, median, pairedRatio, saturate } from '../measure.js'
import { changeOf, creationOf, loadUsers, USER_COLUMNS, userRow } from '../registry-users.js'

const CONNECTIONS = 16
// Many short turns: the mood of a shared machine changes within seconds, and a pair should share it.
const TURN = 2_000
const TURNS = 6

export const write: Bench = {
  name: 'write',
  about: 'create and change with outbox and audit row against the plain row, SQL level, 16 connections',
  async run({ stack, rounds, scale, log }) {
    const codec = await readyCodec(stack.schemaRegistry)
    const { pool } = await openBenchDatabase(stack, 'bench_write', registryMigrations, CONNECTIONS)
    const count = Math.round(TURN * scale)
    const next = userMaker(codec)
    try {
      const states = Array.from({ length: count }, () => next().decision.next)
      log(`loading ${count} users`)
      await loadUsers(pool, states)
      // Once, not per round: right after a checkpoint each first touch of a page is logged whole, which is not the steady state.
      await pool.query('CHECKPOINT')
      // Rounds decide and encode before the clock starts: the figure is about the statement.
      const perSecond = async (work: (index: number) => Promise<unknown>) =>
        (await saturate(count, CONNECTIONS, work)).perSecond
      let turn = 1
      const changes = () => {
        const mine = turn++
        return states.map((state, index) => changeOf(state, mine * count + index, codec))
      }
      const kept = async (write: UserWrite, index: number, done: Promise<boolean>) => {
        if (!(await done)) throw new Error('a write found another version than it was decided on')
        states[index] = write.decision.next
      }
      const figures = await interleave(rounds * TURNS, {
        async create() {
          const writes = Array.from({ length: count }, next)
          return perSecond((index) => writeUser(pool, writes[index] as UserWrite))
        },
        async plainInsert() {
          const writes = Array.from({ length: count }, next)
          return perSecond((index) => insertPlain(pool, writes[index] as UserWrite))
        },
        async change() {
          const writes = changes()
          return perSecond((index) => {
            const one = writes[index] as UserWrite
            return kept(one, index, writeUser(pool, one))
          })
        },
        async plainUpdate() {
          const writes = changes()
          return perSecond((index) => {
            const one = writes[index] as UserWrite
            return kept(one, index, updatePlain(pool, one))
          })
        },
      })
      return [
        result('write create', figures.create, figures.plainInsert, 0.72, 'plain insert of user and address'),
        result('write change', figures.change, figures.plainUpdate, 0.68, 'plain guarded update of the user'),
      ]
    } finally {
      await pool.end()
    }
  },
}

function result(
  bench: string,
  ours: readonly number[],
  plain: readonly number[],
  ask: number,
  against: string,
): Result {
  const ratio = pairedRatio(ours, plain)
  return {
    bench,
    value: median(ours),
    ceiling: median(plain),
    ratio,
    unit: 'tx/s',
    against,
    ask: { text: `>= ${ask}`, holds: ratio >= ask },
  }
}

function userMaker(codec: EventCodec<UserLifecycleEvent>) {
  let seed = 1
  return () => creationOf(seed++, codec)
}

type Pool = Parameters<typeof writeUser>[0]

const INSERT = `WITH one AS (INSERT INTO user_account (${USER_COLUMNS.join(', ')})
  VALUES (${USER_COLUMNS.map((_, index) => `$${index + 1}`).join(', ')}) RETURNING id, tenant_id)
  INSERT INTO user_email (tenant_id, email_key, user_id)
  SELECT one.tenant_id, address.key, one.id FROM one, unnest($18::text[]) AS address (key)`

async function insertPlain(pool: Pool, { decision: { next } }: UserWrite): Promise<void> {
  const addresses = next.user.emails.map(({ value }) => value)
  await pool.query({ name: 'bench_insert', text: INSERT, values: [...userRow(next), addresses] })
}

const UPDATE = `UPDATE user_account SET ${USER_COLUMNS.slice(2)
  .map((column, index) => `${column} = $${index + 3}`)
  .join(', ')} WHERE id = $1 AND tenant_id = $2 AND version = $13::bigint - 1`

async function updatePlain(pool: Pool, { decision: { next } }: UserWrite): Promise<boolean> {
  return (await pool.query({ name: 'bench_update', text: UPDATE, values: userRow(next) })).rowCount === 1
}
