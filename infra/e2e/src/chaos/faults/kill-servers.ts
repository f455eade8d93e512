import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault } from '../fault.js'
import type { Stage } from '../stage.js'
import { shipsAgain, tally } from './recovery.js'

const postgresEnds = ['SIGKILL of the postmaster', 'immediate stop', 'SIGKILL of a backend'] as const

export const killPostgres: Fault = {
  name: 'kill-postgres',
  group: 'servers',
  matrix: 'F2',
  does: 'Postgres dies: postmaster or one backend by SIGKILL, or an immediate stop; fsync is on',
  expects: 'what was answered is there after the crash recovery; nobody needs a restart',
  trials: { short: 6, long: 300 },
  async run(stage, { trials, random }) {
    const problems: string[] = []
    const { counts, count } = tally()
    stage.startTraffic()
    for (let trial = 0; trial < trials; trial++) {
      await sleep(random.between(50, 600))
      const how = postgresEnds[trial % postgresEnds.length] as (typeof postgresEnds)[number]
      count(how)
      if (how === 'SIGKILL of a backend') await killBackend(stage)
      else {
        await stage.postgres.kill(how === 'immediate stop' ? 'SIGQUIT' : 'SIGKILL')
        await stage.postgres.start()
      }
      await shipsAgain(stage, problems, how)
    }
    return { trials, problems, varieties: counts }
  },
}

/** Any session of ours: the postmaster ends all the others and recovers. */
async function killBackend({ scene }: Stage): Promise<void> {
  const { rows } = await scene.databases.registry.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity
     WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND application_name NOT IN ('drill', '')
     ORDER BY random() LIMIT 1`,
  )
  const pid = rows[0]?.pid
  if (pid !== undefined) process.kill(pid, 'SIGKILL')
}

const kafkaEnds = ['SIGKILL', 'SIGTERM', 'SIGSTOP'] as const

export const killKafka: Fault = {
  name: 'kill-kafka',
  group: 'servers',
  matrix: 'F3',
  does: 'the broker dies by SIGKILL, ends by SIGTERM, or stands still for one to four seconds',
  expects: 'writes go on meanwhile; the relay ships again by itself',
  trials: { short: 6, long: 300 },
  async run(stage, { trials, random }) {
    const problems: string[] = []
    const { counts, count } = tally()
    stage.startTraffic()
    for (let trial = 0; trial < trials; trial++) {
      await sleep(random.between(50, 600))
      // Two kills to one of the others.
      const how = trial % 4 < 2 ? 'SIGKILL' : (kafkaEnds[(trial % 4) - 1] as string)
      count(how)
      if (how === 'SIGSTOP') {
        stage.kafka.signal('SIGSTOP')
        await sleep(random.between(1_000, 4_000))
        stage.kafka.signal('SIGCONT')
      } else {
        await stage.kafka.kill(how as NodeJS.Signals)
        await stage.kafka.start()
      }
      await shipsAgain(stage, problems, `${how} of Kafka`)
    }
    return { trials, problems, varieties: counts }
  },
}
