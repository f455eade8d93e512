import { Command } from 'commander'
import { type Act, clientOf } from './command-context.js'
import { projectionPath } from './projection-path.js'

/** A command that asks one thing of a projection and is done with its answer: `rollcall projections <verb> <name>`. */
export const projectionAct = (
  act: Act,
  { verb, done, summary }: { readonly verb: 'pause' | 'resume'; readonly done: string; readonly summary: string },
): Command =>
  new Command(verb)
    .summary(summary)
    .argument('<name>', 'the projection')
    .addHelpText(
      'after',
      `
Exit codes: 0 done, 1 refused or not reachable, 2 wrong usage.

Example:
  rollcall projections ${verb} people`,
    )
    .action(
      act(async (context, name: string) => {
        await clientOf(context, 'directory').request(projectionPath(name, verb), { method: 'POST' })
        await context.terminal.result({ projection: name, done: verb }, () => `Projection ${name}: ${done}.`)
        return 'done'
      }),
    )
