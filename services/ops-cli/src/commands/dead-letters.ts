import { Command } from 'commander'
import { z } from 'zod'
import { type Act, type CommandContext, clientOf, type Outcome } from '../command-context.js'
import { UsageInvalidError } from '../command-errors.js'
import { uuid, wholeNumber } from '../option-values.js'
import { projectionPath } from '../projection-path.js'
import { readProjections } from '../projection-status.js'
import { spokenRows } from '../spoken-rows.js'
import { columns, counted, grouped } from '../terminal.js'

const failure = z.object({
  code: z.string(),
  message: z.string(),
  at: z.string(),
  eventType: z.string().optional(),
  seenVersion: z.number().optional(),
})
const parkedUser = z.object({
  userId: z.string(),
  partition: z.number(),
  parkedAt: z.string(),
  failures: z.array(failure),
  letters: z.number(),
})
const parkedList = z.object({
  users: z.array(parkedUser),
  totalUsers: z.number(),
  unnamed: z.array(z.object({ partition: z.number(), offset: z.number(), failure })),
})
const redrive = z.object({ applied: z.number(), left: z.number(), failure: failure.nullable() })
const row = z.record(z.string(), z.unknown()).nullable()
const whatIf = redrive.extend({ rows: z.array(z.object({ table: z.string(), before: row, after: row })) })
const discarded = z.object({ discarded: z.number(), left: z.number() })

type Failure = z.output<typeof failure>

const path = (projection: string, ...below: readonly string[]) => projectionPath(projection, 'dead-letters', ...below)

const EXIT_CODES = `
Exit codes: 0 nothing waits, 1 something waits or it was refused, 2 wrong usage.`

const named = (verb: string, summary: string) =>
  new Command(verb)
    .summary(summary)
    .argument('<projection>', 'the projection')
    .argument('<user>', 'the id of the user', uuid)

/** `rollcall dead-letters list [projection]` */
export const deadLettersListCommand = (act: Act): Command =>
  new Command('list')
    .summary('parked users, why, and how many events wait')
    .argument('[projection]', 'only this projection')
    .option('--limit <n>', 'most users shown of each projection', wholeNumber(1, 1_000), 100)
    .addHelpText('after', `${EXIT_CODES}\n\nExample:\n  rollcall dead-letters list people`)
    .action(act(list))

async function list(context: CommandContext, only: string | undefined, { limit }: { limit: number }): Promise<Outcome> {
  const { terminal } = context
  const client = clientOf(context, 'directory')
  const names = only === undefined ? (await readProjections(client)).map(({ name }) => name) : [only]
  const projections = await Promise.all(
    names.map(async (name) => {
      const found = await client.get(`${path(name)}?limit=${limit}`, parkedList)
      return { name, ...found }
    }),
  )
  const rows = projections.flatMap(({ name, users, unnamed }) => [
    ...users.map(({ userId, letters, parkedAt, failures }) => [name, userId, letters, parkedAt, lastOf(failures)]),
    ...unnamed.map((one) => [
      name,
      `partition ${one.partition} offset ${one.offset}`,
      1,
      one.failure.at,
      one.failure.code,
    ]),
  ])
  const total = projections.reduce((sum, { totalUsers, unnamed }) => sum + totalUsers + unnamed.length, 0)
  await terminal.result({ projections }, () =>
    rows.length === 0
      ? 'No user is parked.'
      : columns(['PROJECTION', 'USER', 'WAITING', 'SINCE', 'WHY'], rows, terminal.paint),
  )
  return total === 0 ? 'done' : 'wrong'
}

const lastOf = (failures: readonly Failure[]) => failures.at(-1)?.code ?? ''

/** `rollcall dead-letters show <projection> <user>` */
export const deadLettersShowCommand = (act: Act): Command =>
  named('show', 'why a user is parked, and every retry since')
    .addHelpText('after', `${EXIT_CODES}\n\nExample:\n  rollcall dead-letters show people 0190c2f0-…`)
    .action(act(show))

async function show(context: CommandContext, projection: string, userId: string): Promise<Outcome> {
  const user = await clientOf(context, 'directory').get(path(projection, userId), parkedUser)
  await context.terminal.result(user, () =>
    [
      `User ${user.userId} is parked in ${projection} since ${user.parkedAt}; ${counted(user.letters, 'event')} wait.`,
      ...user.failures.map(({ at, code, message }) => `  ${at}  ${code}\n    ${message}`),
    ].join('\n'),
  )
  return 'wrong'
}

/** `rollcall dead-letters what-if <projection> <user>` */
export const deadLettersWhatIfCommand = (act: Act): Command =>
  named('what-if', 'what a retry would change, row by row; changes nothing')
    .addHelpText('after', `${EXIT_CODES}\n\nExample:\n  rollcall dead-letters what-if people 0190c2f0-…`)
    .action(
      act(async (context, projection: string, userId: string) => {
        const result = await clientOf(context, 'directory').post(path(projection, userId, 'what-if'), whatIf)
        await context.terminal.result(result, () => [spokenRows(result.rows), spoken(result, 'would be')].join('\n'))
        return result.left === 0 ? 'done' : 'wrong'
      }),
    )

/** `rollcall dead-letters retry <projection> [user]` */
export const deadLettersRetryCommand = (act: Act): Command =>
  new Command('retry')
    .summary('apply what waits, in order, until something fails again')
    .argument('<projection>', 'the projection')
    .argument('[user]', 'the id of the user', uuid)
    .option('--all', 'every parked user of the projection')
    .addHelpText(
      'after',
      `${EXIT_CODES}\n\nExamples:\n  rollcall dead-letters retry people 0190c2f0-…\n  rollcall dead-letters retry people --all`,
    )
    .action(act(retry))

async function retry(
  context: CommandContext,
  projection: string,
  userId: string | undefined,
  { all }: { all?: boolean },
): Promise<Outcome> {
  const client = clientOf(context, 'directory')
  if ((userId === undefined) !== (all === true)) {
    throw new UsageInvalidError('Give the id of a user, or --all for every parked user.')
  }
  const users =
    userId !== undefined
      ? [userId]
      : (await client.get(`${path(projection)}?limit=1000`, parkedList)).users.map((user) => user.userId)
  const results: ({ userId: string } & z.output<typeof redrive>)[] = []
  for (const one of users) {
    results.push({ userId: one, ...(await client.post(path(projection, one, 'retry'), redrive)) })
  }
  await context.terminal.result(userId === undefined ? { results } : results[0], () =>
    results.length === 0
      ? 'No user is parked.'
      : results
          .map((result) => `${result.userId}: ${spoken(result, result.applied === 1 ? 'was' : 'were')}`)
          .join('\n'),
  )
  return results.every(({ left }) => left === 0) ? 'done' : 'wrong'
}

/** `rollcall dead-letters discard <projection> <user> --reason <text>` */
export const deadLettersDiscardCommand = (act: Act): Command =>
  named('discard', 'pass over the first waiting event, or all; its effects never happen')
    .requiredOption('--reason <text>', 'why; kept with who and when')
    .option('--all', 'every waiting event instead of the first')
    .option('--dry-run', 'say what would be done, and do nothing')
    .addHelpText(
      'after',
      `${EXIT_CODES}\n\nExample:\n  rollcall dead-letters discard people 0190c2f0-… --reason "test user, see incident 17"`,
    )
    .action(
      act(
        async (
          context,
          projection: string,
          userId: string,
          options: { reason: string; all?: boolean; dryRun?: boolean },
        ) => {
          const { reason, all = false, dryRun = false } = options
          const client = clientOf(context, 'directory')
          const request = { reason, all, dryRun }
          const result = await client.post(path(projection, userId, 'discard'), discarded, request)
          await context.terminal.result({ ...result, dryRun }, () => {
            const done = dryRun ? 'would be discarded' : 'discarded'
            return `${counted(result.discarded, 'event')} ${done}, ${grouped(result.left)} left.${dryRun ? ' Nothing was done.' : ''}`
          })
          return result.left === 0 ? 'done' : 'wrong'
        },
      ),
    )

const spoken = ({ applied, left, failure: why }: z.output<typeof redrive>, were: string) =>
  `${counted(applied, 'event')} ${were} applied, ${grouped(left)} left${why === null ? '.' : `: ${why.code} ${why.message}`}`
