import { toErrorFacts } from '@rollcall/errors'
import { request } from '../../stack/http-client.js'
import { until } from '../../stack/until.js'
import type { ArmedProcess } from '../armed-process.js'
import { type CrashPoint, crashPoints } from '../crash-points.js'
import type { Fault } from '../fault.js'
import { BACK_WITHIN_MS, readyAgain, startAgain, tally } from './recovery.js'

export const killRebuild: Fault = {
  name: 'kill-rebuild',
  matrix: 'F1',
  does: 'the directory dies between two steps of a rebuild and its cut-over, while changes go on',
  expects: 'the rebuild goes on by itself to its end; what is live then is equal to the registry',
  trials: { short: 4, long: 60 },
  async run(stage, { trials }) {
    const points = crashPoints.filter(({ needs }) => needs === 'a rebuild')
    const directory = stage.consumers[0] as ArmedProcess
    const problems: string[] = []
    const { counts, count } = tally()
    stage.startTraffic()
    for (let trial = 0; trial < trials; trial++) {
      const { step } = points[trial % points.length] as CrashPoint
      await readyAgain(directory, problems, 'the trial before')
      directory.arm(step, 1)
      const asked = await request('POST', `${directory.process.url}/admin/projections/people/rebuild`, {
        body: { keepMs: 0 },
      }).catch(() => undefined)
      if (asked !== undefined && asked.status >= 300) problems.push(`a rebuild was refused with status ${asked.status}`)
      const how = await directory.downOrKilled(BACK_WITHIN_MS)
      count(how === 'at the step' ? step : how)
      await startAgain(directory, problems)
      const what = `the rebuild that died ${how} (${step}) ends well`
      await until({ what, timeoutMs: 2 * BACK_WITHIN_MS, pollMs: 200 }, async () => {
        const { rows } = await stage.scene.databases.directory.query<{ phase: string | null }>(
          `SELECT rebuild ->> 'phase' AS phase FROM projections.projection WHERE name = 'people'`,
        )
        return rows[0]?.phase === 'done'
      }).catch((error: unknown) => problems.push(toErrorFacts(error).message))
    }
    return { trials, problems, varieties: counts }
  },
}
