import { people } from '@rollcall/directory'
import { userLifecycle } from '@rollcall/events'
import { pgStore, runProjections } from '@rollcall/projections'
import type { Bench } from '../bench.js'
import { benchTools } from '../bench-tools.js'
import { interleave, median, pairedRatio } from '../measure.js'
import { decodeTopic, openPeopleTopic } from '../people-topic.js'
import { rebuilt } from '../projection-ground.js'

/** How fast the directory is rebuilt from its topic, against reading and decoding the topic and doing nothing with it. */
export const rebuild: Bench = {
  name: 'rebuild',
  about: 'rebuild of the directory, against reading and decoding every event of the topic',
  async run({ stack, rounds, scale, log }) {
    const topic = await openPeopleTopic(stack, { database: 'bench_rebuild', users: Math.round(200_000 * scale), log })
    const { pool, kafka, codec, users, events } = topic

    // Paused, so that the ordinary runner does not work through the topic beside the measured rebuild.
    await pool.query(
      `INSERT INTO projections.projection (name, version, topic, state) VALUES ('people', 1, $1, 'paused')`,
      [userLifecycle.name],
    )
    await pool.query('CREATE TABLE projections.applied_version_people (key uuid PRIMARY KEY, version bigint NOT NULL)')
    const projections = runProjections([people], {
      kafka,
      database: pgStore(pool),
      codec,
      ...benchTools(),
    })
    await projections.start()

    const figures = await interleave(rounds, {
      async decode() {
        const startedAt = performance.now()
        await decodeTopic(kafka, codec, events)
        return events / ((performance.now() - startedAt) / 1_000)
      },
      async rebuild() {
        const startedAt = performance.now()
        await rebuilt(projections, 'people')
        return events / ((performance.now() - startedAt) / 1_000)
      },
    })
    const { rows } = await pool.query<{ people: string }>('SELECT count(*) AS people FROM person')
    if (Number(rows[0]?.people) !== users) throw new Error(`${rows[0]?.people} people instead of ${users}`)
    await projections.close()
    await topic.close()
    const ratio = pairedRatio(figures.rebuild, figures.decode)
    return [
      {
        bench: 'rebuild',
        value: median(figures.rebuild),
        ceiling: median(figures.decode),
        ratio,
        unit: 'events/s',
        against: 'consume and Avro decode only',
        ask: { text: '>= 0.40', holds: ratio >= 0.4 },
      },
    ]
  },
}
