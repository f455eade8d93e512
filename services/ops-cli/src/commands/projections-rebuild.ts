import { setTimeout as delay } from 'node:timers/promises'
import { Command } from 'commander'
import { type Act, type CommandContext, clientOf, type Outcome } from '../command-context.js'
import { UsageInvalidError } from '../command-errors.js'
import { startProgress } from '../progress.js'
import { projectionPath } from '../projection-path.js'
import { type ProjectionStatus, readProjections } from '../projection-status.js'
import type { ServiceClient } from '../service-client.js'
import { counted, grouped, spoken } from '../terminal.js'

/** `rollcall projections rebuild <name>` */
export const projectionsRebuildCommand = (act: Act): Command =>
  new Command('rebuild')
    .summary('build a read model anew from its topic')
    .description(
      'Reads the topic from the beginning. A table projection is loaded beside the live table and swapped in; any other is emptied first and fills again while it is read.',
    )
    .argument('<name>', 'the projection')
    .option('--yes', 'do it; without it, only what would be done is said')
    .option('--dry-run', 'say what would be done')
    .option('--wait', 'wait for the end and show the progress')
    .addHelpText(
      'after',
      `
Exit codes: 0 done (with --wait) or begun, 1 refused or failed, 2 wrong usage.

Examples:
  rollcall projections rebuild people --dry-run
  rollcall projections rebuild people --yes --wait`,
    )
    .action(act(rebuildProjection))

interface RebuildOptions {
  readonly yes?: boolean
  readonly dryRun?: boolean
  readonly wait?: boolean
}

const POLL_MS = 250

async function rebuildProjection(context: CommandContext, name: string, options: RebuildOptions): Promise<Outcome> {
  const { terminal } = context
  const client = clientOf(context, 'directory')
  const before = await find(client, name)
  const events = before.partitions.reduce((sum, { highWatermark }) => sum + highWatermark, 0)
  if (options.dryRun || !options.yes) {
    const plan = { projection: name, dryRun: true, events, partitions: before.partitions.length }
    await terminal.result(
      plan,
      () =>
        `Would read ${counted(events, 'event')} of ${before.topic} and replace the read model of ${name}. Nothing was done.`,
    )
    if (!options.dryRun)
      throw new UsageInvalidError('Give --yes to rebuild, or --dry-run to only see what it would do.')
    return 'done'
  }
  await client.request(projectionPath(name, 'rebuild'), { method: 'POST' })
  if (!options.wait) {
    await terminal.result(
      { projection: name, begun: true, events },
      () => `Rebuild of ${name} has begun; rollcall projections list shows how it goes.`,
    )
    return 'done'
  }
  return follow(context, client, name, before)
}

async function follow(
  context: CommandContext,
  client: ServiceClient,
  name: string,
  before: ProjectionStatus,
): Promise<Outcome> {
  const { terminal, signal } = context
  const progress = startProgress({
    terminal,
    total: before.partitions.reduce((sum, { highWatermark }) => sum + highWatermark, 0),
    noun: 'events',
  })
  try {
    for (;;) {
      const { rebuild } = await find(client, name)
      if (rebuild !== null && rebuild.startedAt !== before.rebuild?.startedAt) {
        progress.update(rebuild.events, rebuild.events)
        if (rebuild.phase === 'done' || rebuild.phase === 'failed') {
          progress.stop()
          const seconds = (Date.parse(rebuild.finishedAt ?? rebuild.startedAt) - Date.parse(rebuild.startedAt)) / 1_000
          await terminal.result({ projection: name, ...rebuild, seconds }, () =>
            rebuild.phase === 'done'
              ? `Projection ${name} is rebuilt from ${grouped(rebuild.total)} events in ${spoken(seconds)}.`
              : `The rebuild of ${name} failed, the read model is as before: ${rebuild.error ?? 'no reason given'}`,
          )
          return rebuild.phase === 'done' ? 'done' : 'wrong'
        }
      }
      await delay(POLL_MS, undefined, { signal })
    }
  } finally {
    progress.stop()
  }
}

async function find(client: ServiceClient, name: string): Promise<ProjectionStatus> {
  const all = await readProjections(client)
  const found = all.find((one) => one.name === name)
  if (found !== undefined) return found
  throw new UsageInvalidError(`No projection is called ${name}; there are ${all.map((one) => one.name).join(', ')}.`)
}
