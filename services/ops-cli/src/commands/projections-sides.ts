import { Command } from 'commander'
import { type Act, type CommandContext, clientOf, type Outcome } from '../command-context.js'
import { confirm } from '../confirm.js'
import { findProjection } from '../find-projection.js'
import { projectionName } from '../projection-name.js'
import { projectionPath } from '../projection-path.js'
import type { ProjectionStatus } from '../projection-status.js'
import { counted } from '../terminal.js'

interface SideAct {
  readonly verb: 'cut-over' | 'rollback' | 'abandon'
  /** Of the admin API. */
  readonly path: string
  readonly side: 'next' | 'prev'
  readonly summary: string
  readonly plan: string
  readonly done: string
}

/** `rollcall projections cut-over <name>` */
export const projectionsCutOverCommand = (act: Act): Command =>
  sideCommand(act, {
    verb: 'cut-over',
    path: 'cut-over',
    side: 'next',
    summary: 'take the side a rebuild has built, with its differences',
    plan: 'puts the side that was built in the place of the live one, which follows for a while as the side before',
    done: 'cut over; rollcall projections rollback goes back',
  })

/** `rollcall projections rollback <name>` */
export const projectionsRollbackCommand = (act: Act): Command =>
  sideCommand(act, {
    verb: 'rollback',
    path: 'roll-back',
    side: 'prev',
    summary: 'go back to the read model from before the last cut-over, which is up to date',
    plan: 'puts the side from before the last cut-over back; what is live now becomes that side, so this can be undone the same way',
    done: 'rolled back',
  })

/** `rollcall projections abandon <name>` */
export const projectionsAbandonCommand = (act: Act): Command =>
  sideCommand(act, {
    verb: 'abandon',
    path: 'abandon-rebuild',
    side: 'next',
    summary: 'drop the side a rebuild builds or has built; the live one stays',
    plan: 'drops the side that a rebuild builds or has built',
    done: 'rebuild abandoned, the read model is as before',
  })

const sideCommand = (act: Act, does: SideAct): Command =>
  new Command(does.verb)
    .summary(does.summary)
    .argument('<projection>', 'the projection, or <service>/<projection>', projectionName)
    .option('--yes', 'do not ask')
    .option('--dry-run', 'say what would be done, and do nothing')
    .addHelpText(
      'after',
      `
Exit codes: 0 done, 1 refused or not reachable, 2 wrong usage.

Examples:
  rollcall projections ${does.verb} people --dry-run
  rollcall projections ${does.verb} people --yes`,
    )
    .action(act((context, name: string, options: SideOptions) => actOnSide(context, name, options, does)))

interface SideOptions {
  readonly yes?: boolean
  readonly dryRun?: boolean
}

async function actOnSide(
  context: CommandContext,
  name: string,
  { yes, dryRun }: SideOptions,
  { verb, path, side, plan, done }: SideAct,
): Promise<Outcome> {
  const { terminal } = context
  const client = clientOf(context, 'directory')
  const found = await findProjection(client, name)
  const sentence = `This ${plan}. ${spokenSide(found, side)}`
  if (dryRun) {
    const there = found.sides.find((one) => one.side === side) ?? null
    await terminal.result({ projection: name, dryRun: true, side: there }, () => `${sentence} Nothing was done.`)
    return there === null ? 'wrong' : 'done'
  }
  if (!yes) await confirm(context, sentence, 'Do it?')
  await client.request(projectionPath(name, path), { method: 'POST' })
  await terminal.result({ projection: name, done: verb }, () => `Projection ${name}: ${done}.`)
  return 'done'
}

function spokenSide({ sides, name }: ProjectionStatus, which: SideAct['side']): string {
  const found = sides.find(({ side }) => side === which)
  if (found === undefined) return `There is no such side of ${name}.`
  const until = found.expiresAt === null ? '' : `, kept until ${found.expiresAt}`
  return `That side of ${name} is version ${found.version}, ${counted(found.lagRecords, 'record')} behind the topic, with ${counted(found.parkedUsers, 'parked user')}${until}.`
}
