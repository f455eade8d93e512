import { toErrorFacts } from '@rollcall/errors'
import { answers } from '../../stack/service-process.js'
import { until } from '../../stack/until.js'
import type { ArmedProcess } from '../armed-process.js'
import type { Stage } from '../stage.js'

/** How long anything may take to come back on a loaded machine before that counts as a violation of I12. */
export const BACK_WITHIN_MS = 60_000

/** Starts a process that is down; one that died at a step of its start is started once more. */
export async function startAgain({ process }: ArmedProcess, problems: string[]): Promise<void> {
  for (let attempt = 1; attempt <= 3; attempt++) {
    try {
      await process.start()
      if (process.pid !== undefined) return
    } catch (error) {
      if (attempt === 3) problems.push(`${process.name} did not start again: ${toErrorFacts(error).message}`)
    }
  }
}

/** Resolves when the relay has shipped something new; a problem when it does not. */
export async function shipsAgain(stage: Stage, problems: string[], after: string): Promise<void> {
  const before = await shipped(stage).catch(() => undefined)
  const what = `the relay ships again after ${after}`
  await until({ what, timeoutMs: BACK_WITHIN_MS, pollMs: 20 }, async () => {
    const now = await shipped(stage)
    return before === undefined ? true : now > before
  }).catch((error: unknown) => problems.push(toErrorFacts(error).message))
}

/** Resolves when the service answers that it makes progress; a problem when it does not. */
export async function readyAgain(one: ArmedProcess, problems: string[], after: string): Promise<void> {
  const what = `${one.name} is ready again after ${after}`
  await until({ what, timeoutMs: BACK_WITHIN_MS }, () => answers(`${one.process.url}/health/ready`)).catch(
    (error: unknown) => problems.push(toErrorFacts(error).message),
  )
}

export async function shipped({ scene }: Stage): Promise<number> {
  const { rows } = await scene.databases.registry.query<{ shipped: string }>('SELECT shipped FROM outbox.relay')
  return Number(rows[0]?.shipped ?? 0)
}

/** Counts what came how often. */
export function tally(): { count(what: string): void; readonly counts: Record<string, number> } {
  const counts: Record<string, number> = {}
  return {
    counts,
    count(what) {
      counts[what] = (counts[what] ?? 0) + 1
    },
  }
}
