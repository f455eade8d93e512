import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { toErrorFacts } from '@rollcall/errors'
import type { RebuildProgress } from '@rollcall/projections'
import type { Verdict } from '../checker/check-history.js'
import { rollcall } from '../stack/rollcall.js'
import { until } from '../stack/until.js'
import { generateCsv, startImport } from './paced-import.js'
import type { Scene } from './scene.js'
import { startSteadyChanges } from './steady-changes.js'
import { type Readings, startWatchfulReader } from './watchful-reader.js'

export interface RebuildDrillOptions {
  readonly users: number
  readonly seed: number
  /** Changes a second beside everything. */
  readonly perSecond: number
  /** Plain reads a second. @default 100 */
  readonly readsPerSecond?: number
  /** Of the stretches before, and after the roll-back. @default 20_000 */
  readonly stretchMs?: number
  readonly report: (line: string) => void
}

export interface Stretch extends Readings {
  readonly name: string
  readonly seconds: number
  readonly changes: number
}

export interface RebuildDrill {
  /** First changes, to processes just started; changes alone, a rebuild, a rebuild whose process is killed, and after the roll-back. */
  readonly stretches: readonly Stretch[]
  readonly rebuilds: ReadonlyArray<{ readonly seconds: number; readonly events: number; readonly rowsEqual: number }>
  /** Where the rebuild was when its process was killed. */
  readonly killed: { readonly phase: string; readonly events: number; readonly recoverMs: number } | undefined
  /** Rows of the read model compared with the registry and with what the events say, after the roll-back. */
  readonly verified: number
  readonly verdict: Verdict
  /** Everything that was not as it had to be. */
  readonly problems: readonly string[]
}

const POPULATION = 20_000
const ENDS_WITHIN_MS = 900_000

/**
 * Rebuilds the directory twice while users change and readers read from a second process of it: once in peace, once with
 * kill -9 of the process at work; then rolls back, and compares everything.
 */
export async function rebuildBesideChanges(scene: Scene, options: RebuildDrillOptions): Promise<RebuildDrill> {
  const { users, seed, perSecond, readsPerSecond = 100, stretchMs = 20_000, report } = options
  const problems: string[] = []
  const rebuilds: { seconds: number; events: number; rowsEqual: number }[] = []
  let killed: RebuildDrill['killed']

  const csv = join(scene.directory, 'users.csv')
  await generateCsv(csv, users, seed)
  const summary = await startImport(csv, scene.endpointsPath).finish()
  report(`imported: ${JSON.stringify(summary)}`)
  const [second] = await scene.secondConsumers()
  if (second === undefined) throw new Error('the scene has no second directory')
  await second.start()
  await scene.quiet(ENDS_WITHIN_MS)
  report('a second directory has joined; all is quiet')

  const { rows } = await scene.databases.registry.query<{ id: string }>('SELECT id FROM user_account LIMIT $1', [
    POPULATION,
  ])
  const userIds = rows.map(({ id }) => id)
  const reader = startWatchfulReader({ directory: second.url, userIds, perSecond: readsPerSecond })
  const changes = startSteadyChanges({
    registry: scene.endpoints.registry as string,
    userIds,
    perSecond,
    onAnswered: reader.changed,
  })
  const stretches: Stretch[] = []

  async function during(name: string, work: () => Promise<unknown>): Promise<void> {
    await reader.take()
    const [startedAt, before] = [performance.now(), changes.journal.length]
    await work().catch((error: unknown) => problems.push(`${name}: ${toErrorFacts(error).message}`))
    const seconds = (performance.now() - startedAt) / 1_000
    const made = changes.journal.length - before
    const readings = await reader.take()
    stretches.push({ name, seconds, changes: made, ...readings })
    const { reads, failed, backwards } = readings
    report(`${name}: ${made} changes, ${reads} reads in ${seconds.toFixed(1)} s`)
    if (failed + backwards > 0)
      problems.push(`${name}: ${failed} reads failed, ${backwards} went backwards: ${readings.examples.join('; ')}`)
  }

  async function rebuild(): Promise<void> {
    const args = ['projections', 'rebuild', 'people', '--yes', '--wait', '--keep', '1h']
    const { code, report: shown } = await rollcall<RebuildProgress & { seconds: number }>(scene.endpointsPath, ...args)
    const { phase, proof, seconds, total, error, unproven } = shown
    if (code !== 0 || phase !== 'done' || proof?.differing !== 0)
      throw new Error(`the rebuild ended ${phase}, ${proof?.differing} rows differ: ${error ?? unproven ?? ''}`)
    rebuilds.push({ seconds, events: total, rowsEqual: proof.rows })
    report(`rebuilt from ${total} events in ${seconds} s, ${proof.rows} rows proven equal`)
  }

  async function killAtHalf(): Promise<void> {
    const before = await progress(scene)
    const at = await until({ what: 'half of the events are read', timeoutMs: ENDS_WITHIN_MS, pollMs: 10 }, async () => {
      const now = await progress(scene)
      return now?.startedAt !== before?.startedAt && now !== undefined && now.events >= now.total / 2 && now
    })
    const victim = scene.victim('directory')
    const killedAt = performance.now()
    await victim.kill()
    report(`kill -9 of the directory while the rebuild was ${at.phase}, ${at.events} of ${at.total} events`)
    await victim.back()
    killed = { phase: at.phase, events: at.events, recoverMs: Math.round(performance.now() - killedAt) }
    const { startedAt } = (await progress(scene)) ?? {}
    if (/done|built|failed/.test(at.phase)) problems.push(`the kill came too late: the rebuild was ${at.phase}`)
    if (startedAt !== at.startedAt) problems.push('another rebuild was begun instead of the killed one')
  }

  try {
    await during('first changes', () => sleep(stretchMs))
    await during('changes alone', () => sleep(stretchMs))
    await during('rebuild', rebuild)
    await during('rebuild, killed', () => Promise.all([rebuild(), killAtHalf()]))
    await during('rolled back', async () => {
      const { code } = await rollcall(scene.endpointsPath, 'projections', 'rollback', 'people', '--yes')
      if (code !== 0) throw new Error(`the roll-back ended with code ${code}`)
      await sleep(stretchMs)
    })
  } finally {
    await changes.stop()
    await reader.stop()
  }
  await scene.quiet(ENDS_WITHIN_MS)
  const { code, report: found } = await rollcall<{ found: object; content?: { users: number } }>(
    scene.endpointsPath,
    ...['projections', 'verify', 'people', '--content'],
  )
  if (code !== 0) problems.push(`verify found ${JSON.stringify(found.found)}`)
  const verdict = await scene.check(changes.journal)
  return { stretches, rebuilds, killed, verified: found.content?.users ?? 0, verdict, problems }
}

async function progress(scene: Scene): Promise<RebuildProgress | undefined> {
  const { rows } = await scene.databases.directory.query<{ rebuild: RebuildProgress | null }>(
    `SELECT rebuild FROM projections.projection WHERE name = 'people'`,
  )
  return rows[0]?.rebuild ?? undefined
}
