import { createInterface } from 'node:readline/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { Command } from 'commander'
import { type Act, type CommandContext, clientOf, type Outcome } from '../command-context.js'
import { CommandInterruptedError, UsageInvalidError } from '../command-errors.js'
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
    .option('--yes', 'do not ask')
    .option('--dry-run', 'say what would be done, and do nothing')
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
  if (options.dryRun) {
    await terminal.result(
      { projection: name, dryRun: true, events, partitions: before.partitions.length },
      () => `${planOf(before, events)} Nothing was done.`,
    )
    return 'done'
  }
  if (!options.yes) await confirm(context, planOf(before, events))
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

const planOf = ({ name, topic }: ProjectionStatus, events: number) =>
  `A rebuild of ${name} reads ${counted(events, 'event')} of ${topic} and replaces its read model.`

/** Asks a person; without one, --yes is needed. */
async function confirm({ terminal, stdin, signal }: CommandContext, plan: string): Promise<void> {
  if (!stdin.isTTY || !terminal.interactive || terminal.json) {
    throw new UsageInvalidError(`${plan} Give --yes to do it, or --dry-run to see this only.`)
  }
  const ask = createInterface({ input: stdin, output: terminal.stderr })
  try {
    const answer = await ask.question(`${plan} Rebuild? [y/N] `, { signal })
    if (!/^y(es)?$/i.test(answer.trim())) throw new CommandInterruptedError('Not confirmed; nothing was done.')
  } finally {
    ask.close()
  }
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
