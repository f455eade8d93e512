import { Command } from 'commander'
import type { Act, CommandContext, Outcome } from '../command-context.js'
import { withKafka } from '../kafka-of.js'
import { counted } from '../terminal.js'
import { DEFAULT_TOPICS_FILE, readTopicsFile } from '../topics-file.js'

/** `rollcall topics apply` */
export const topicsApplyCommand = (act: Act): Command =>
  new Command('apply')
    .summary('create missing topics, check the others')
    .description(
      `Creates the topics of the file that are missing and checks those that exist. A wrong partition count or policy is refused, with the command that mends it: neither is changed behind anybody's back.`,
    )
    .option('--file <file>', 'the topics', DEFAULT_TOPICS_FILE)
    .option('--alter-config', 'also bring the settings of existing topics to what the file says')
    .addHelpText(
      'after',
      `
Exit codes: 0 all are as the file says, 1 some are not, 2 wrong usage.

Examples:
  rollcall topics apply
  rollcall topics apply --alter-config`,
    )
    .action(act(applyTopics))

async function applyTopics(
  context: CommandContext,
  { file, alterConfig = false }: { readonly file: string; readonly alterConfig?: boolean },
): Promise<Outcome> {
  const specs = readTopicsFile(context.cwd, file)
  await withKafka(context, (kafka) => kafka.applyTopics(specs, { alterConfig }))
  const topics = specs.map(({ name, partitions }) => ({ name, partitions }))
  await context.terminal.result({ topics }, () =>
    [
      `${counted(topics.length, 'topic')} as ${file} says:`,
      ...topics.map((t) => `  ${t.name}, ${counted(t.partitions, 'partition')}`),
    ].join('\n'),
  )
  return 'done'
}
