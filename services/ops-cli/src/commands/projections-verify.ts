import { Command } from 'commander'
import { z } from 'zod'
import { type Act, type CommandContext, clientOf, type Outcome } from '../command-context.js'
import { UsageInvalidError } from '../command-errors.js'
import { wholeNumber } from '../option-values.js'
import { startProgress } from '../progress.js'
import { projectionName } from '../projection-name.js'
import { projectionPath } from '../projection-path.js'
import { streamedWork } from '../streamed-work.js'
import { columns, counted, grouped, spoken } from '../terminal.js'

const item = z.object({
  userId: z.string(),
  kind: z.string(),
  registryVersion: z.number().nullable(),
  appliedVersion: z.number(),
  parked: z.boolean(),
  columns: z.array(z.string()).optional(),
  repair: z.enum(['none', 'healed', 'rewritten', 'removed', 'parked']),
})
const report = z.object({
  projection: z.string(),
  registry: z.object({ at: z.string(), snapshot: z.string(), users: z.number() }),
  readModel: z.object({ users: z.number(), positions: z.record(z.string(), z.number()) }),
  buckets: z.object({ compared: z.number(), unequal: z.number() }),
  content: z.object({ users: z.number(), unchecked: z.number() }).nullable(),
  found: z.record(z.string(), z.number()),
  repaired: z.number(),
  left: z.number(),
  items: z.array(item),
  dryRun: z.boolean(),
  tookMs: z.number(),
})
const progressShape = z.object({ phase: z.enum(['versions', 'content']), records: z.number(), total: z.number() })

type Report = z.output<typeof report>

/** `rollcall projections verify <name>` */
export const projectionsVerifyCommand = (act: Act): Command =>
  new Command('verify')
    .summary('compare a read model with the user registry, and mend it by key')
    .description(
      'Compares the versions of all users while both go on: hashes of buckets first, keys only where these differ. Who changes meanwhile is waited for, and is no difference.',
    )
    .argument('<projection>', 'the projection, or <service>/<projection>', projectionName)
    .option('--content', 'compare every row too with what the events say; table projections')
    .option('--repair', 'heal who is missing or behind, and write differing rows anew')
    .option('--dry-run', 'with --repair: say what would be mended, and do nothing')
    .option('--wait <seconds>', 'how long users on their way are waited for', wholeNumber(0, 60), 5)
    .option('--limit <n>', 'most differences shown; all are counted', wholeNumber(0, 10_000), 100)
    .addHelpText(
      'after',
      `
Kinds: missing and behind are healed; ahead and unknown mean that the registry knows less than the read model (was it
restored from a backup?) and are left alone; rows that differ, miss or are too many are written anew or removed.

Exit codes: 0 equal (or all mended), 1 something differs or it was refused, 2 wrong usage.

Examples:
  rollcall projections verify people
  rollcall projections verify directory/people --content --repair --dry-run
  rollcall projections verify people --content --repair`,
    )
    .action(act(verifyProjection))

interface VerifyOptions {
  readonly content?: boolean
  readonly repair?: boolean
  readonly dryRun?: boolean
  readonly wait: number
  readonly limit: number
}

async function verifyProjection(context: CommandContext, name: string, options: VerifyOptions): Promise<Outcome> {
  const { content = false, repair = false, dryRun = false, wait, limit } = options
  if (dryRun && !repair)
    throw new UsageInvalidError('--dry-run goes with --repair; without it nothing is mended anyway.')
  const { terminal } = context
  let bar: ReturnType<typeof startProgress> | undefined
  try {
    const found = await streamedWork(clientOf(context, 'directory'), projectionPath(name, 'verify'), {
      body: { content, repair, dryRun, waitMs: wait * 1_000, limit },
      progress: progressShape,
      report,
      told({ phase, records, total }) {
        if (phase === 'versions') return
        bar ??= startProgress({ terminal, total, noun: 'events' })
        bar.update(records, records)
      },
    })
    bar?.stop()
    await terminal.result(found, () => text(context, found))
    return found.left === 0 && !(dryRun && found.repaired > 0) ? 'done' : 'wrong'
  } finally {
    bar?.stop()
  }
}

function text({ terminal }: CommandContext, found: Report): string {
  const { projection, registry, readModel, buckets, content, items, tookMs } = found
  const total = Object.values(found.found).reduce((sum, count) => sum + count, 0)
  const lines = [
    `${grouped(registry.users)} users at the registry at ${registry.at}, ${grouped(readModel.users)} applied in ${projection}; ` +
      `${counted(buckets.unequal, 'bucket')} of ${grouped(buckets.compared)} differed (${spoken(tookMs / 1_000)}).`,
  ]
  if (content !== null) {
    const unchecked = content.unchecked === 0 ? '' : `; nobody has the events of ${grouped(content.unchecked)} any more`
    lines.push(`${counted(content.users, 'row')} compared with what the events say${unchecked}.`)
  }
  if (items.length > 0) lines.push(tableOf(terminal.paint, items))
  if (total > items.length) lines.push(`… and ${grouped(total - items.length)} more.`)
  lines.push(verdictOf(found, total))
  return lines.join('\n')
}

const tableOf = (paint: CommandContext['terminal']['paint'], items: Report['items']) =>
  columns(
    ['USER', 'WHAT', 'REGISTRY', 'APPLIED', 'MENDED', 'COLUMNS'],
    items.map((one) => [
      one.userId,
      one.parked ? `${one.kind}, parked` : one.kind,
      one.registryVersion ?? '-',
      one.appliedVersion,
      one.repair === 'none' ? '-' : one.repair,
      one.columns?.join(' ') ?? '',
    ]),
    paint,
  )

function verdictOf({ found, repaired, left, dryRun }: Report, total: number): string {
  if (total === 0) return 'They are equal.'
  const kinds = Object.entries(found).map(([kind, count]) => `${grouped(count)} ${kind}`)
  if (dryRun) {
    return `${kinds.join(', ')}: ${grouped(repaired)} would be mended, ${grouped(left)} would be left. Nothing was done.`
  }
  return `${kinds.join(', ')}: ${grouped(repaired)} mended, ${grouped(left)} left.`
}
