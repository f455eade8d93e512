import { Command } from 'commander'
import { type Act, type CommandContext, clientOf, type Outcome } from '../command-context.js'
import { projectionPath } from '../projection-path.js'

/** `rollcall projections resume <name>` */
export const projectionsResumeCommand = (act: Act): Command =>
  new Command('resume')
    .summary('go on after a pause, and try stopped partitions again')
    .argument('<name>', 'the projection')
    .addHelpText(
      'after',
      `
Exit codes: 0 done, 1 refused or not reachable, 2 wrong usage.

Example:
  rollcall projections resume people`,
    )
    .action(act(resumeProjection))

async function resumeProjection(context: CommandContext, name: string): Promise<Outcome> {
  await clientOf(context, 'directory').request(projectionPath(name, 'resume'), { method: 'POST' })
  await context.terminal.result({ projection: name, done: 'resume' }, () => `Projection ${name}: resumed.`)
  return 'done'
}
