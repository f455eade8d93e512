import { setTimeout as delay } from 'node:timers/promises'
import { isRetryable } from '@rollcall/errors'
import { Command, InvalidArgumentError } from 'commander'
import { z } from 'zod'
import { type Act, type CommandContext, clientOf, type Outcome } from '../command-context.js'
import { confirm } from '../confirm.js'
import { findProjection } from '../find-projection.js'
import { oneOf } from '../option-values.js'
import { startProgress } from '../progress.js'
import { projectionName } from '../projection-name.js'
import { projectionPath } from '../projection-path.js'
import type { ProjectionStatus } from '../projection-status.js'
import type { ServiceClient } from '../service-client.js'
import { secondsOf, spokenRebuild } from '../spoken-rebuild.js'
import { counted, grouped, spoken } from '../terminal.js'

const planShape = z.object({
  kind: z.enum(['fold', 'shadow', 'replay']),
  events: z.number(),
  tables: z.array(z.string()),
  rows: z.number(),
  bytes: z.number(),
  seconds: z.number(),
  estimatedBy: z.string(),
})
type Plan = z.output<typeof planShape>

/** `rollcall projections rebuild <name>` */
export const projectionsRebuildCommand = (act: Act): Command =>
  new Command('rebuild')
    .summary('build a read model anew beside the live one, prove both equal, and swap them')
    .description(
      'Fills a second set of tables from the topic, as fast as live traffic allows, compares it with the live one at one position and puts it in its place. Readers notice nothing. What differs is shown, and waits for you. The old side follows for a while: rollback is one command.',
    )
    .argument('<projection>', 'the projection, or <service>/<projection>', projectionName)
    .option('--yes', 'do not ask')
    .option('--dry-run', 'say what would be done and how long it would take, and do nothing')
    .option('--wait', 'wait for the end and show the progress')
    .option('--cut-over <when>', 'when-equal, or always: also with differences', oneOf(['when-equal', 'always']))
    .option('--keep <time>', 'how long the old side follows: 30m, 2h, 7d', duration)
    .addHelpText(
      'after',
      `
Exit codes: 0 done (with --wait) or begun, 1 refused, failed, or built with differences, 2 wrong usage.

Examples:
  rollcall projections rebuild people --dry-run
  rollcall projections rebuild people --yes --wait
  rollcall projections rebuild people --yes --wait --cut-over always --keep 2h`,
    )
    .action(act(rebuildProjection))

interface RebuildOptions {
  readonly yes?: boolean
  readonly dryRun?: boolean
  readonly wait?: boolean
  readonly cutOver?: 'when-equal' | 'always'
  readonly keep?: number
}

const POLL_MS = 250
/** Longer than a process takes to be started again. */
const AWAY_MS = 60_000

async function rebuildProjection(context: CommandContext, name: string, options: RebuildOptions): Promise<Outcome> {
  const { terminal } = context
  const client = clientOf(context, 'directory')
  const before = await findProjection(client, name)
  const plan = await client.get(projectionPath(name, 'rebuild'), planShape)
  if (options.dryRun) {
    await terminal.result({ projection: name, dryRun: true, ...plan }, () => `${told(before, plan)} Nothing was done.`)
    return 'done'
  }
  if (!options.yes) await confirm(context, told(before, plan), 'Rebuild?')
  const { cutOver, keep: keepMs } = options
  const body = JSON.stringify({ ...(cutOver && { cutOver }), ...(keepMs !== undefined && { keepMs }) })
  await client.request(projectionPath(name, 'rebuild'), {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json' },
  })
  if (!options.wait) {
    await terminal.result(
      { projection: name, begun: true, events: plan.events },
      () => `Rebuild of ${name} has begun; rollcall projections list shows how it goes.`,
    )
    return 'done'
  }
  return follow(context, client, name, before)
}

function told({ name, topic, parkedUsers }: ProjectionStatus, plan: Plan): string {
  const { kind, events, tables, bytes, seconds, estimatedBy } = plan
  const how =
    kind === 'replay'
      ? 'empties its read model and applies them again, while readers see it fill'
      : `fills ${tables.join(', ')} anew beside the live one (about ${(bytes / 1e6).toFixed(0)} MB), compares both, and swaps them`
  const about = `about ${spoken(Math.max(1, seconds))} by ${estimatedBy === 'sample' ? 'a sample' : 'the last rebuild'}, longer beside live traffic`
  const parked = parkedUsers > 0 ? ` ${counted(parkedUsers, 'user')} parked now will be tried anew.` : ''
  return `A rebuild of ${name} reads ${counted(events, 'event')} of ${topic} and ${how}: ${about}.${parked}`
}

async function follow(
  context: CommandContext,
  client: ServiceClient,
  name: string,
  before: ProjectionStatus,
): Promise<Outcome> {
  const { terminal, signal } = context
  const total = before.partitions.reduce((sum, { highWatermark }) => sum + highWatermark, 0)
  const progress = startProgress({ terminal, total, noun: 'events' })
  let phase = ''
  try {
    for (;;) {
      const { rebuild } = await findPatiently(context, client, name)
      if (rebuild !== null && rebuild.startedAt !== before.rebuild?.startedAt) {
        progress.update(rebuild.events, rebuild.events)
        if (rebuild.phase === 'done' || rebuild.phase === 'failed' || rebuild.phase === 'built') {
          progress.stop()
          const seconds = secondsOf(rebuild)
          await terminal.result({ projection: name, ...rebuild, seconds }, () => spokenRebuild(name, rebuild))
          return rebuild.phase === 'done' ? 'done' : 'wrong'
        }
        if (rebuild.phase !== phase && !terminal.interactive)
          terminal.note(`${rebuild.phase}: ${grouped(rebuild.events)} events`)
        phase = rebuild.phase
      }
      await delay(POLL_MS, undefined, { signal })
    }
  } finally {
    progress.stop()
  }
}

/** A process that dies takes its rebuild up again when it is back: that is waited for. */
async function findPatiently(context: CommandContext, client: ServiceClient, name: string): Promise<ProjectionStatus> {
  const { terminal, signal } = context
  const until = Date.now() + AWAY_MS
  for (let tries = 0; ; tries++) {
    try {
      return await findProjection(client, name)
    } catch (error) {
      if (!isRetryable(error) || Date.now() >= until) throw error
      if (tries === 0) terminal.note(`${(error as Error).message} The rebuild goes on when it is back; waiting.`)
      await delay(POLL_MS, undefined, { signal })
    }
  }
}

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

function duration(text: string): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  if (count === undefined) throw new InvalidArgumentError('Expected a time such as 30m, 2h or 7d.')
  return Number(count) * UNITS[unit as keyof typeof UNITS]
}
