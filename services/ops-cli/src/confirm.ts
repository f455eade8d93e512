import { createInterface } from 'node:readline/promises'
import type { CommandContext } from './command-context.js'
import { CommandInterruptedError, UsageInvalidError } from './command-errors.js'

/** Asks a person; without one, --yes is needed. @param plan what would be done, a sentence */
export async function confirm(
  { terminal, stdin, signal }: CommandContext,
  plan: string,
  question: string,
): Promise<void> {
  if (!stdin.isTTY || !terminal.interactive || terminal.json) {
    throw new UsageInvalidError(`${plan} Give --yes to do it, or --dry-run to see this only.`)
  }
  const ask = createInterface({ input: stdin, output: terminal.stderr })
  try {
    const answer = await ask.question(`${plan} ${question} [y/N] `, { signal })
    if (!/^y(es)?$/i.test(answer.trim())) throw new CommandInterruptedError('Not confirmed; nothing was done.')
  } finally {
    ask.close()
  }
}
