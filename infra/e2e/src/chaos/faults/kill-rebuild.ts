import { toErrorFacts } from '@rollcall/errors'
import { request } from '../../stack/http-client.js'
import { until } from '../../stack/until.js'
import type { ArmedProcess } from '../armed-process.js'
import { type CrashPoint, crashPoints } from '../crash-points.js'
import type { Fault } from '../fault.js'
import type { Stage } from '../stage.js'
import { BACK_WITHIN_MS, readyAgain, startAgain, tally } from './recovery.js'

export const killRebuild: Fault = {
  name: 'kill-rebuild',
  matrix: 'F1',
  does: 'directory and counters die between two steps of a rebuild and its cut-over, while changes go on',
  expects: 'each rebuild goes on by itself to its end; what is live then is equal to the registry, each effect once',
  trials: { short: 4, long: 300 },
  // Each rebuild reads the whole topic: after the other faults of the long form that takes minutes.
  scene: 'own',
  async run(stage, { trials }) {
    const points = crashPoints.filter(({ needs }) => needs === 'a rebuild')
    const problems: string[] = []
    const { counts, count } = tally()
    stage.startTraffic()
    let next = 0
    // Each waits six seconds for the group to give up the one that died: side by side.
    await Promise.all(
      rebuilders(stage).map(async (one) => {
        while (next < trials) {
          const { step } = points[next++ % points.length] as CrashPoint
          count(await killAt(step, one, problems))
        }
      }),
    )
    return { trials, problems, varieties: counts }
  },
}

interface Rebuilder {
  readonly consumer: ArmedProcess
  /** Asked with POST. */
  readonly url: string
  readonly phase: () => Promise<string | null | undefined>
}

/** The directory's table is folded; the counters' handlers fill a table by themselves. */
function rebuilders({ consumers, scene }: Stage): Rebuilder[] {
  const { directory, counters } = scene.databases
  return consumers.map((consumer, at) => {
    const [pool, path] =
      at === 0 ? [directory, '/admin/projections/people/rebuild'] : [counters[at - 1] ?? directory, '/rebuild']
    return {
      consumer,
      url: `${consumer.process.url}${path}`,
      async phase() {
        const { rows } = await pool.query<{ phase: string | null }>(
          `SELECT rebuild ->> 'phase' AS phase FROM projections.projection WHERE name IN ('people', 'effect-counter')`,
        )
        return rows[0]?.phase
      },
    }
  })
}

async function killAt(step: string, { consumer, url, phase }: Rebuilder, problems: string[]): Promise<string> {
  await readyAgain(consumer, problems, 'the trial before')
  consumer.arm(step, 1)
  const asked = await request('POST', url, { body: { keepMs: 0 } }).catch(() => undefined)
  if (asked !== undefined && asked.status >= 300) problems.push(`a rebuild was refused with status ${asked.status}`)
  const how = await consumer.downOrKilled(BACK_WITHIN_MS)
  await startAgain(consumer, problems)
  const what = `the rebuild of ${consumer.name} that died ${how} (${step}) ends well`
  await until({ what, timeoutMs: 2 * BACK_WITHIN_MS, pollMs: 200 }, async () => (await phase()) === 'done').catch(
    (error: unknown) => problems.push(toErrorFacts(error).message),
  )
  return how === 'at the step' ? step : how
}
