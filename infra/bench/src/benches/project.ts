import type { PoolClient } from '@rollcall/database'
import { directoryMigrations, people } from '@rollcall/directory'
import { type UserLifecycleEvent, userLifecycle } from '@rollcall/events'
import { userCreated } from '@rollcall/events/testing'
import { defineProjection, type HandlerContext, pgStore, runProjections } from '@rollcall/projections'
import type { Bench } from '../bench.js'
import { benchKafka, benchTools, makeTopic, openBenchDatabase, readyCodec } from '../bench-tools.js'
import { interleave, median, pairedRatio } from '../measure.js'
import { type AnyProjection, apply, changesOf, ground, sendEvents, tableForm } from '../projection-ground.js'

const USERS = 200_000
const EVENTS = 40_000

export const project: Bench = {
  name: 'project',
  about:
    "the directory's set-based form, 500 events a transaction, against one upsert per event, same runner and events",
  async run({ stack, rounds, scale, log }) {
    const database = await openBenchDatabase(stack, 'bench_project', directoryMigrations, 8)
    const { pool } = database
    const kafka = benchKafka(stack.kafka)
    await makeTopic(kafka)
    const codec = await readyCodec(stack.schemaRegistry)
    const users = Math.round(USERS * scale)
    const producer = kafka.producer()
    const send = (events: readonly UserLifecycleEvent[]) => sendEvents(producer, codec, events)
    const runner = (projection: AnyProjection) =>
      runProjections([projection], { kafka, database: pgStore(pool), codec, ...benchTools(), groupId: 'bench' })

    try {
      log(`loading ${users} users`)
      const states: UserLifecycleEvent[] = Array.from({ length: users }, (_, index) => userCreated({ seed: index + 1 }))
      await send(states)
      await pool.query('CREATE TABLE person_each (LIKE person INCLUDING ALL)')
      await pool.query('ALTER TABLE person_each SET (fillfactor = 85)')
      await ground(database, 'people_table', 'person', runner)
      await ground(database, 'people_each', 'person_each', runner)
      const nextChanges = changesOf(states, Math.round(EVENTS * scale))
      let sentRound = -1
      const prepare = async (round: number) => {
        if (sentRound === round) return
        sentRound = round
        await send(nextChanges())
        await pool.query('CHECKPOINT')
      }
      const figures = await interleave(rounds, {
        async table(round) {
          await prepare(round)
          return apply(kafka, database, 'people_table', (first) => runner(tableForm('people_table', 'person', first)))
        },
        async each(round) {
          await prepare(round)
          return apply(kafka, database, 'people_each', (first) => runner(perEvent('people_each', 'person_each', first)))
        },
      })
      const ratio = pairedRatio(figures.table, figures.each)
      return [
        {
          bench: 'project',
          value: median(figures.table),
          ceiling: median(figures.each),
          ratio,
          unit: 'events/s',
          against: 'one upsert per event, all else equal; version check inside both',
          ask: { text: '>= 2.7', holds: ratio >= 2.7 },
        },
      ]
    } finally {
      await producer.close()
      await kafka.close()
      await pool.end()
    }
  },
}

function perEvent(name: string, table: string, handled: () => void): AnyProjection {
  let text: string | undefined
  const upsert = async (event: UserLifecycleEvent, { tx }: HandlerContext<PoolClient>) => {
    handled()
    const row = { user_id: event.userId, ...people.table.row(event.user, event as never) } as Record<string, unknown>
    text ??= upsertSql(table, Object.keys(row))
    const json = new Set(['emails', 'name', 'attributes'])
    const values = Object.entries(row).map(([column, value]) =>
      json.has(column) && value !== null ? JSON.stringify(value) : value,
    )
    await tx.query({ name: 'bench_upsert', text, values })
  }
  return defineProjection<UserLifecycleEvent, PoolClient>({
    name,
    version: 1,
    topic: userLifecycle,
    on: { UserCreated: upsert, UserUpdated: upsert },
    reset: () => {},
  })
}

function upsertSql(table: string, columns: readonly string[]): string {
  const values = columns.map((_, index) => `$${index + 1}`).join(', ')
  const updates = columns.slice(1).map((column) => `${column} = excluded.${column}`)
  return `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${values})
    ON CONFLICT (user_id) DO UPDATE SET ${updates.join(', ')}`
}
