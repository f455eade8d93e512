import { setTimeout as sleep } from 'node:timers/promises'
import type { ManagedProcess } from '@rollcall/dev'
import type { Fault, FaultContext, FaultRun } from '../fault.js'
import type { Stage } from '../stage.js'
import { shipsAgain, tally } from './recovery.js'

export const killPostgres: Fault = {
  name: 'kill-postgres',
  group: 'servers',
  matrix: 'F2',
  does: 'Postgres dies: postmaster or one backend by SIGKILL, or an immediate stop; fsync is on',
  expects: 'what was answered is there after the crash recovery; nobody needs a restart',
  trials: { short: 6, long: 300 },
  run: (stage, given) =>
    endInTurn(stage, given, [
      { how: 'SIGKILL of the postmaster', end: restarted(stage.postgres, 'SIGKILL') },
      { how: 'immediate stop', end: restarted(stage.postgres, 'SIGQUIT') },
      { how: 'SIGKILL of a backend', end: () => killBackend(stage) },
    ]),
}

export const killKafka: Fault = {
  name: 'kill-kafka',
  group: 'servers',
  matrix: 'F3',
  does: 'the broker dies by SIGKILL, ends by SIGTERM, or stands still for one to four seconds',
  expects: 'writes go on meanwhile; the relay ships again by itself',
  trials: { short: 6, long: 300 },
  run(stage, given) {
    const killed = { how: 'SIGKILL of Kafka', end: restarted(stage.kafka, 'SIGKILL') }
    // Two kills to one of the others.
    return endInTurn(stage, given, [
      killed,
      killed,
      { how: 'SIGTERM of Kafka', end: restarted(stage.kafka, 'SIGTERM') },
      {
        how: 'SIGSTOP of Kafka',
        async end() {
          stage.kafka.signal('SIGSTOP')
          await sleep(given.random.between(1_000, 4_000))
          stage.kafka.signal('SIGCONT')
        },
      },
    ])
  },
}

const restarted = (server: ManagedProcess, signal: NodeJS.Signals) => async () => {
  await server.kill(signal)
  await server.start()
}

/** Ends a server in one way after the other, under traffic, until the relay has shipped after each end. */
async function endInTurn(
  stage: Stage,
  { trials, random }: FaultContext,
  ways: ReadonlyArray<{ readonly how: string; readonly end: () => Promise<void> }>,
): Promise<FaultRun> {
  const problems: string[] = []
  const { counts, count } = tally()
  stage.startTraffic()
  for (let trial = 0; trial < trials; trial++) {
    await sleep(random.between(50, 600))
    const { how, end } = ways[trial % ways.length] as (typeof ways)[number]
    count(how)
    await end()
    await shipsAgain(stage, problems, how)
  }
  return { trials, problems, varieties: counts }
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
