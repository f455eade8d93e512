import { createWriteStream } from 'node:fs'
import { resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Command } from 'commander'
import type { Act, CommandContext, Outcome } from '../command-context.js'
import { UsageInvalidError } from '../command-errors.js'
import { fakeUserLines } from '../fake-user-lines.js'
import { fakeUsers } from '../fake-users.js'
import { formatOf, type ImportFormat } from '../import-source.js'
import { oneOf, wholeNumber } from '../option-values.js'
import { counted } from '../terminal.js'

/** `rollcall users generate` */
export const usersGenerateCommand = (act: Act): Command =>
  new Command('generate')
    .summary('invent users for trials and load tests')
    .description(
      `Invents users from many countries: made-up people with addresses at example.com, .org and .net only.

The same seed gives the same users, whatever the count; each userName and address occurs once per seed.`,
    )
    .requiredOption('--count <n>', 'how many', wholeNumber(1, 100_000_000))
    .option('--seed <text>', 'which users', '1')
    .option('--format <format>', 'csv or ndjson (default: from the file name; csv to a pipe)', oneOf(['csv', 'ndjson']))
    .option('--out <file>', 'where to; - is standard output', '-')
    .addHelpText(
      'after',
      `
Exit codes: 0 done, 1 the file could not be written, 2 wrong usage.

Examples:
  rollcall users generate --count 100000 --out people.csv
  rollcall users generate --count 5 --seed demo --format ndjson`,
    )
    .action(act(generateUsers))

interface GenerateOptions {
  readonly count: number
  readonly seed: string
  readonly format?: ImportFormat
  readonly out: string
}

async function generateUsers(context: CommandContext, { count, seed, format, out }: GenerateOptions): Promise<Outcome> {
  const { terminal, signal, cwd } = context
  const isPipe = out === '-'
  const kind = format ?? (isPipe ? (terminal.json ? 'ndjson' : 'csv') : formatOf(out))
  if (isPipe && terminal.json && kind !== 'ndjson') {
    throw new UsageInvalidError('--json writes one JSON value a line; with --format csv give --out <file>.')
  }
  const lines = fakeUserLines(fakeUsers(count, seed), kind)
  if (isPipe) {
    for (const piece of lines) {
      if (signal.aborted) break
      await terminal.write(piece)
    }
    return 'done'
  }
  await pipeline(Readable.from(lines), createWriteStream(resolve(cwd, out)), { signal })
  await terminal.result({ file: out, count, seed, format: kind }, () => `${counted(count, 'user')} in ${out}`)
  return 'done'
}
