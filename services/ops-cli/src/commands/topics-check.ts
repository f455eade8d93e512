import { Command } from 'commander'
import type { Act, CommandContext, Outcome } from '../command-context.js'
import { withKafka } from '../kafka-of.js'
import { counted } from '../terminal.js'
import { DEFAULT_TOPICS_FILE, readTopicsFile } from '../topics-file.js'

/** `rollcall topics check` */
export const topicsCheckCommand = (act: Act): Command =>
  new Command('check')
    .summary('compare the topics with their file, change nothing')
    .option('--file <file>', 'the topics', DEFAULT_TOPICS_FILE)
    .addHelpText(
      'after',
      `
Exit codes: 0 all are as the file says, 1 some are not, 2 wrong usage.

Example:
  rollcall topics check`,
    )
    .action(act(checkTopics))

async function checkTopics(context: CommandContext, { file }: { readonly file: string }): Promise<Outcome> {
  const specs = readTopicsFile(context.cwd, file)
  await withKafka(context, (kafka) => kafka.verifyTopics(specs))
  await context.terminal.result(
    { ok: true, topics: specs.map(({ name }) => name) },
    () => `${counted(specs.length, 'topic')} as ${file} says.`,
  )
  return 'done'
}
