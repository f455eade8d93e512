import { setTimeout as delay } from 'node:timers/promises'
import { Command } from 'commander'
import { type Act, type CommandContext, clientOf, type Outcome } from '../command-context.js'
import { CommandInterruptedError } from '../command-errors.js'
import { type Difference, differencesOf, findCompared, pagesById, sideBySide } from '../compare-users.js'
import { wholeNumber } from '../option-values.js'
import { startProgress } from '../progress.js'
import type { ServiceClient } from '../service-client.js'
import { counted } from '../terminal.js'

/** `rollcall users compare` */
export const usersCompareCommand = (act: Act): Command =>
  new Command('compare')
    .summary('compare registry and directory, field by field')
    .description(
      `Reads both sides in id order, a page at a time, and compares every field of every user.

The directory follows the registry: users that differ are looked at again for a while before they count. With --at-rest nothing is being written, and the first look counts.`,
    )
    .option('--show-values', 'show the values that differ; they are personal data')
    .option('--patience <seconds>', 'how long a difference may last before it counts', wholeNumber(0, 600), 5)
    .option('--at-rest', 'nothing is being written: look once')
    .addHelpText(
      'after',
      `
Exit codes: 0 equal, 1 different, 2 wrong usage.

Examples:
  rollcall users compare
  rollcall users compare --at-rest --json | jq .differingUsers`,
    )
    .action(act(compareUsers))

interface CompareOptions {
  readonly showValues?: boolean
  readonly patience: number
  readonly atRest?: boolean
}

const SHOWN = 20
/** More than this is no matter of patience; the rest counts as it was first seen. */
const MAX_SECOND_LOOKS = 5_000

async function compareUsers(context: CommandContext, options: CompareOptions): Promise<Outcome> {
  const { showValues = false, atRest = false } = options
  const { terminal, signal } = context
  const services = { registry: clientOf(context, 'registry'), directory: clientOf(context, 'directory') }
  const progress = startProgress({ terminal, total: undefined, noun: 'users compared' })
  const suspects: string[] = []
  const first: Difference[] = []
  let compared = 0
  let suspected = 0

  const sides = sideBySide(
    pagesById(services.registry, '/v1/users?limit=200&status=active,suspended&sort=id'),
    pagesById(services.directory, '/v1/people?limit=500'),
  )
  for await (const { id, user, person } of sides) {
    progress.update(++compared, compared)
    const differences = differencesOf(id, user, person)
    if (differences.length === 0) continue
    suspected++
    if (first.length < SHOWN) first.push(...differences)
    if (suspects.length < MAX_SECOND_LOOKS) suspects.push(id)
  }
  progress.stop()

  const confirmed = { users: suspected, first }
  if (suspected > 0 && !atRest && options.patience > 0) {
    terminal.note(
      `${counted(suspected, 'user')} differ at first sight; looking again for up to ${options.patience} s, because the directory may be behind.`,
    )
    const lasting = await lookAgain(services, suspects, options.patience * 1_000, signal)
    confirmed.users = new Set(lasting.map(({ id }) => id)).size + (suspected - suspects.length)
    confirmed.first = suspected > suspects.length ? [...lasting, ...first] : lasting
  }
  const shown = confirmed.first
    .slice(0, SHOWN)
    .map(({ id, field, ...values }) => (showValues ? { id, field, ...values } : { id, field }))
  const equal = confirmed.users === 0
  await terminal.result({ equal, compared, differingUsers: confirmed.users, first: shown }, () =>
    [
      equal
        ? `${counted(compared, 'user')} compared field by field: registry and directory are equal.`
        : `${counted(compared, 'user')} compared, ${counted(confirmed.users, 'user')} differ. The first differences:`,
      ...shown.map(
        (one) =>
          `  ${one.id}  ${one.field}${'registry' in one ? `  ${JSON.stringify(one.registry)} / ${JSON.stringify(one.directory)}` : ''}`,
      ),
    ].join('\n'),
  )
  return equal ? 'done' : 'wrong'
}

/** Looks at each suspect again until it agrees or patience ends; answers the differences that lasted. */
async function lookAgain(
  { registry, directory }: { readonly registry: ServiceClient; readonly directory: ServiceClient },
  suspects: readonly string[],
  patienceMs: number,
  signal: AbortSignal,
): Promise<Difference[]> {
  const until = Date.now() + patienceMs
  let left = suspects
  for (;;) {
    const found: Difference[] = []
    for (const id of left) {
      const [user, person] = await Promise.all([
        findCompared(registry, `/v1/users/${id}`),
        findCompared(directory, `/v1/people/${id}`),
      ])
      found.push(...differencesOf(id, user, person))
    }
    left = [...new Set(found.map(({ id }) => id))]
    if (left.length === 0 || Date.now() >= until) return found
    await delay(Math.min(500, Math.max(1, until - Date.now())), undefined, { signal }).catch(() => {
      throw new CommandInterruptedError()
    })
  }
}
