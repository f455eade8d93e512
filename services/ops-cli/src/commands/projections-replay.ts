import { Command, InvalidArgumentError } from 'commander'
import { z } from 'zod'
import { type Act, type CommandContext, clientOf, type Outcome } from '../command-context.js'
import { UsageInvalidError } from '../command-errors.js'
import { uuid } from '../option-values.js'
import { startProgress } from '../progress.js'
import { projectionName } from '../projection-name.js'
import { projectionPath } from '../projection-path.js'
import { spokenRows } from '../spoken-rows.js'
import { streamedWork } from '../streamed-work.js'
import { counted, grouped, spoken } from '../terminal.js'

const row = z.record(z.string(), z.unknown()).nullable()
const report = z.object({
  projection: z.string(),
  users: z.number(),
  events: z.number(),
  failed: z.number(),
  failures: z.array(z.object({ userId: z.string(), problem: z.string() })),
  rows: z.array(z.object({ table: z.string(), before: row, after: row })).nullable(),
  dryRun: z.boolean(),
  tookMs: z.number(),
})
const progressShape = z.object({
  partitions: z.number(),
  total: z.number(),
  users: z.number(),
  events: z.number(),
})

type Report = z.output<typeof report>

/** `rollcall projections replay <name> --from <time|version>` */
export const projectionsReplayCommand = (act: Act): Command =>
  new Command('replay')
    .summary('apply events once more that are applied already')
    .description(
      'Gives the events to the handler as it is now, those of a user in one transaction: readers see only where they lead. Versions and positions stay. Not for handlers that count.',
    )
    .argument('<projection>', 'the projection, or <service>/<projection>', projectionName)
    .requiredOption('--from <time|version>', 'events stamped since, or of this version and later of one user', start)
    .option('--user <id>', 'only the events of this user', uuid)
    .requiredOption('--reason <text>', 'why; kept with who and when')
    .option('--dry-run', 'say what would be replayed, with --user also which rows would change; do nothing')
    .addHelpText(
      'after',
      `
Exit codes: 0 done, 1 a user could not be replayed or it was refused, 2 wrong usage.

Examples:
  rollcall projections replay people --from 2026-01-31T08:00:00Z --reason "mended the search text" --dry-run
  rollcall projections replay people --from 1 --user 0190c2f0-… --reason "incident 17"`,
    )
    .action(act(replayProjection))

interface ReplayOptions {
  readonly from: Start
  readonly user?: string
  readonly reason: string
  readonly dryRun?: boolean
}

type Start = { readonly since: string } | { readonly fromVersion: number }

function start(text: string): Start {
  if (/^[1-9]\d{0,14}$/.test(text)) return { fromVersion: Number(text) }
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? new Date(text) : undefined
  if (time !== undefined && !Number.isNaN(time.getTime())) return { since: time.toISOString() }
  throw new InvalidArgumentError('Expected a time such as 2026-01-31T08:00:00Z, or a version from 1.')
}

async function replayProjection(context: CommandContext, name: string, options: ReplayOptions): Promise<Outcome> {
  const { from, user, reason, dryRun = false } = options
  if ('fromVersion' in from && user === undefined) {
    throw new UsageInvalidError(`--from ${from.fromVersion} counts the versions of one user: name it with --user.`)
  }
  const { terminal } = context
  let bar: ReturnType<typeof startProgress> | undefined
  try {
    const done = await streamedWork(clientOf(context, 'directory'), projectionPath(name, 'replay'), {
      body: { ...from, reason, dryRun, ...(user === undefined ? {} : { userId: user }) },
      progress: progressShape,
      report,
      told({ partitions, total, events }) {
        bar ??= startProgress({ terminal, total, noun: 'events' })
        bar.update(partitions, events)
      },
    })
    bar?.stop()
    await terminal.result(done, () => text(done))
    return done.failed === 0 ? 'done' : 'wrong'
  } finally {
    bar?.stop()
  }
}

function text({ users, events, failed, failures, rows, dryRun, tookMs }: Report): string {
  const were = dryRun ? 'would be applied again' : 'applied again'
  return [
    ...(rows === null ? [] : [spokenRows(rows)]),
    ...failures.map(({ userId, problem }) => `${userId}: ${problem}`),
    `${counted(events, 'event')} of ${counted(users, 'user')} ${were}, ${counted(failed, 'user')} left as before (${spoken(tookMs / 1_000)}).${dryRun ? ' Nothing was done.' : ''}`,
    ...(failed > failures.length ? [`${grouped(failed - failures.length)} more failed.`] : []),
  ].join('\n')
}
