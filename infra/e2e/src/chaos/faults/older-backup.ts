import { execFileSync } from 'node:child_process'
import { existsSync, readlinkSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { toErrorFacts } from '@rollcall/errors'
import { userLifecycle } from '@rollcall/events'
import { answers } from '../../stack/service-process.js'
import { until } from '../../stack/until.js'
import type { Fault } from '../fault.js'
import type { Stage } from '../stage.js'
import { activeUsers, patch } from './deliveries.js'
import { BACK_WITHIN_MS, shipsAgain, startAgain } from './recovery.js'

export const olderBackup: Fault = {
  name: 'older-backup',
  matrix: 'F16',
  does: 'Postgres starts on a copy of its files from before the last changes were shipped, and is written to',
  expects: 'the relay stops and says so, and brings nothing from there to the topic; with the right files all goes on',
  trials: { short: 1, long: 5 },
  async run(stage, { trials, random }) {
    const problems: string[] = []
    const cluster = clusterOf(stage)
    const [older, right] = [`${cluster}.older`, `${cluster}.right`]
    for (let trial = 0; trial < trials; trial++) {
      stage.startTraffic()
      await shipsAgain(stage, problems, 'the start')
      // With owners and times, as Postgres wants its files.
      await whileDown(stage, () => execFileSync('cp', ['-a', cluster, older]))
      await shipsAgain(stage, problems, 'the backup')
      await sleep(random.between(1_000, 2_500))
      await stage.stopTraffic()
      await whileDown(stage, () => {
        renameSync(cluster, right)
        renameSync(older, cluster)
      })
      const before = await recordsOnTopic(stage)
      await until({ what: 'the registry takes changes again', timeoutMs: BACK_WITHIN_MS }, () =>
        answers(`${stage.registry.process.url}/health/ready`),
      ).catch((error: unknown) => problems.push(toErrorFacts(error).message))
      for (const id of await activeUsers(stage, 5)) await patch(stage, id)
      const what = 'the relay refuses a database that is older than the topic'
      await until({ what, timeoutMs: BACK_WITHIN_MS }, () => stage.relay.process.pid === undefined).catch(
        (error: unknown) => problems.push(toErrorFacts(error).message),
      )
      const brought = (await recordsOnTopic(stage)) - before
      if (brought > 0) problems.push(`${brought} records came to the topic from a database that is older than it`)
      await whileDown(stage, () => {
        rmSync(cluster, { recursive: true })
        renameSync(right, cluster)
      })
      await stage.relay.process.kill('SIGKILL')
      await startAgain(stage.relay, problems)
    }
    return { trials, problems }
  },
}

async function whileDown({ postgres }: Stage, work: () => void): Promise<void> {
  await postgres.stop()
  try {
    work()
  } finally {
    await postgres.start()
  }
}

/** Below a closed directory the files lie elsewhere, with a link to them. */
function clusterOf({ scene }: Stage): string {
  const place = join(scene.own?.directory ?? '', 'postgres')
  const link = join(place, 'moved-to')
  return join(existsSync(link) ? readlinkSync(link) : place, 'cluster')
}

async function recordsOnTopic({ scene }: Stage): Promise<number> {
  return (await scene.kafka.offsets(userLifecycle.name)).reduce((sum, { high }) => sum + high, 0)
}
