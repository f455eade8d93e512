import { Command } from 'commander'
import { type Act, type CommandContext, clientOf, type Outcome } from '../command-context.js'
import { projectionPath } from '../projection-path.js'

/** `rollcall projections pause <name>` */
export const projectionsPauseCommand = (act: Act): Command =>
  new Command('pause')
    .summary('stop applying events, in every process, until resumed')
    .argument('<name>', 'the projection')
    .addHelpText(
      'after',
      `
Exit codes: 0 done, 1 refused or not reachable, 2 wrong usage.

Example:
  rollcall projections pause people`,
    )
    .action(act(pauseProjection))

async function pauseProjection(context: CommandContext, name: string): Promise<Outcome> {
  await clientOf(context, 'directory').request(projectionPath(name, 'pause'), { method: 'POST' })
  await context.terminal.result({ projection: name, done: 'pause' }, () => `Projection ${name}: paused.`)
  return 'done'
}
