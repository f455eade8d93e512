import { Command } from 'commander'
import { type Act, type CommandContext, clientOf, type Outcome } from '../command-context.js'
import { readProjections, stoppedOf } from '../projection-status.js'
import { columns, grouped } from '../terminal.js'

/** `rollcall projections list` */
export const projectionsListCommand = (act: Act): Command =>
  new Command('list')
    .summary('state, positions and lag of every projection')
    .addHelpText(
      'after',
      `
Exit codes: 0 all run, 1 some partition has stopped, 2 wrong usage.

Example:
  rollcall projections list --json`,
    )
    .action(act(listProjections))

async function listProjections(context: CommandContext): Promise<Outcome> {
  const { terminal } = context
  const projections = await readProjections(clientOf(context, 'directory'))
  const stopped = projections.flatMap((one) => stoppedOf(one).map((partition) => ({ name: one.name, ...partition })))
  await terminal.result({ projections }, () =>
    [
      columns(
        ['PROJECTION', 'VERSION', 'STATE', 'LAG', 'SECONDS', 'PARTITIONS', 'STOPPED', 'PARKED', 'LAST REBUILD'],
        projections.map((one) => [
          one.name,
          one.version,
          one.state,
          grouped(one.lagRecords),
          one.lagSeconds.toFixed(1),
          one.partitions.length,
          stoppedOf(one).length,
          grouped(one.parkedUsers),
          one.rebuild === null ? '-' : `${one.rebuild.kind} ${one.rebuild.phase}`,
        ]),
        terminal.paint,
      ),
      ...stopped.map(({ name, partition, failure }) =>
        terminal.paint.red(`${name} partition ${partition}: ${failure?.code ?? ''} ${failure?.message ?? ''}`),
      ),
    ].join('\n'),
  )
  return stopped.length > 0 ? 'wrong' : 'done'
}
