import { directoryMigrations } from '@rollcall/directory'
import type { UserLifecycleEvent } from '@rollcall/events'
import { userCreated, userUpdated } from '@rollcall/events/testing'
import { pgStore, runProjections } from '@rollcall/projections'
import type { Bench } from '../bench.js'
import { benchKafka, benchTools, makeTopic, openBenchDatabase, readyCodec } from '../bench-tools.js'
import { interleave, median, pairedRatio } from '../measure.js'
import { type AnyProjection, apply, changesOf, ground, sendEvents, tableForm } from '../projection-ground.js'

const USERS = 100_000
const PARKED = 1_000
const EVENTS = 40_000

export const parked: Bench = {
  name: 'parked',
  about: '1,000 parked users among 100,000, against none: events per second of everybody else',
  async run({ stack, rounds, scale, log }) {
    const database = await openBenchDatabase(stack, 'bench_parked', directoryMigrations, 8)
    const { pool } = database
    const kafka = benchKafka(stack.kafka)
    await makeTopic(kafka)
    const codec = await readyCodec(stack.schemaRegistry)
    const producer = kafka.producer()
    const users = Math.round(USERS * scale)
    const parkedUsers = Math.round(PARKED * scale)
    const runner = (projection: AnyProjection) =>
      runProjections([projection], {
        kafka,
        database: pgStore(pool),
        codec,
        ...benchTools(),
        groupId: 'bench',
        maxParkedUsers: PARKED * 2,
        maxLettersPerUser: 10_000,
      })
    try {
      log(`loading ${users} users`)
      const states: UserLifecycleEvent[] = Array.from({ length: users }, (_, index) => userCreated({ seed: index + 1 }))
      await sendEvents(producer, codec, states)
      await pool.query('CREATE TABLE person_parked (LIKE person INCLUDING ALL)')
      await ground(database, 'people_free', 'person', runner)
      await ground(database, 'people_parked', 'person_parked', runner)

      const poisoned = new Set<string>()
      for (let index = 0; index < parkedUsers; index++) {
        states[index] = userUpdated(states[index] as UserLifecycleEvent)
        poisoned.add((states[index] as UserLifecycleEvent).eventId)
      }
      await sendEvents(producer, codec, states.slice(0, parkedUsers))
      const free = (first: () => void) => runner(tableForm('people_free', 'person', first))
      const holding = (first: () => void) =>
        runner(
          tableForm('people_parked', 'person_parked', ({ eventId }) => {
            first()
            if (poisoned.has(eventId)) throw new Error('cannot make a row of this')
          }),
        )
      await apply(kafka, database, 'people_free', free)
      await apply(kafka, database, 'people_parked', holding)
      const { rows } = await pool.query(
        "SELECT count(*) AS parked FROM projections.parked_user WHERE projection = 'people_parked'",
      )
      log(`${rows[0]?.parked} users are parked`)

      let sent = -1
      const nextChanges = changesOf(states, Math.round(EVENTS * scale))
      const prepare = async (round: number) => {
        if (sent === round) return
        sent = round
        await sendEvents(producer, codec, nextChanges())
        await pool.query('CHECKPOINT')
      }
      const others = 1 - parkedUsers / users
      const figures = await interleave(rounds, {
        async parked(round) {
          await prepare(round)
          return others * (await apply(kafka, database, 'people_parked', holding))
        },
        async none(round) {
          await prepare(round)
          return others * (await apply(kafka, database, 'people_free', free))
        },
      })
      const ratio = pairedRatio(figures.parked, figures.none)
      return [
        {
          bench: 'parked',
          value: median(figures.parked),
          ceiling: median(figures.none),
          ratio,
          unit: 'events/s',
          against: `the same events with nobody parked; ${rows[0]?.parked} of ${users} users parked`,
          ask: { text: '>= 0.97', holds: ratio >= 0.97 },
        },
      ]
    } finally {
      await producer.close()
      await kafka.close()
      await pool.end()
    }
  },
}
