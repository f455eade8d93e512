import { type KafkaClient, TopicMissingError, type TopicSpec } from '@rollcall/kafka'
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
  return withKafka(context, async (kafka): Promise<Outcome> => {
    const missing = await missingTopics(kafka, specs)
    await kafka.applyTopics(specs, { alterConfig })
    const topics = specs.map(({ name, partitions }) => ({
      name,
      partitions,
      done: missing.has(name) ? ('created' as const) : ('kept' as const),
    }))
    await context.terminal.result({ topics }, () =>
      topics
        .map(({ name, partitions, done }) => `${done.padEnd(8)} ${name}  ${counted(partitions, 'partition')}`)
        .join('\n'),
    )
    return 'done'
  })
}

async function missingTopics(kafka: KafkaClient, specs: readonly TopicSpec[]): Promise<Set<string>> {
  const missing = new Set<string>()
  for (const { name } of specs) {
    try {
      await kafka.offsets(name)
    } catch (error) {
      if (!(error instanceof TopicMissingError)) throw error
      missing.add(name)
    }
  }
  return missing
}
