import { setTimeout as delay } from 'node:timers/promises'
import { Command } from 'commander'
import { type Act, type CommandContext, clientOf, type Outcome } from '../command-context.js'
import {
  type Difference,
  differencesOf,
  type Person,
  pagesById,
  personPage,
  registryUser,
  userPage,
} from '../compare-users.js'
import { wholeNumber } from '../option-values.js'
import type { ServiceClient } from '../service-client.js'
import { counted, grouped } from '../terminal.js'

/** `rollcall users compare` */
export const usersCompareCommand = (act: Act): Command =>
  new Command('compare')
    .summary('compare registry and directory, field by field')
    .description(
      'Reads both sides in id order and compares every field of every user. The directory follows the registry: users that differ are looked at again before they count.',
    )
    .option('--show-values', 'show the values that differ; they are personal data')
    .option('--patience <seconds>', 'how long a difference may last before it counts', wholeNumber(0, 600), 5)
    .addHelpText(
      'after',
      `
Exit codes: 0 equal, 1 different, 2 wrong usage.

Example:
  rollcall users compare`,
    )
    .action(act(compareUsers))

const SHOWN = 20

async function compareUsers(
  context: CommandContext,
  { showValues = false, patience }: { readonly showValues?: boolean; readonly patience: number },
): Promise<Outcome> {
  const registry = clientOf(context, 'registry')
  const directory = clientOf(context, 'directory')
  const users = pagesById(registry, '/v1/users?limit=200&status=active,suspended&sort=createdAt', userPage)
  const people = await peopleById(directory)
  let compared = 0
  const suspects: string[] = []
  for await (const user of users) {
    compared++
    if (differencesOf(user, people.take(user.id)).length > 0) suspects.push(user.id)
  }
  suspects.push(...people.left())
  const differences = await confirm(context, { registry, directory }, suspects, patience * 1_000)
  const shown = differences.slice(0, SHOWN).map((one) => (showValues ? one : { id: one.id, field: one.field }))
  await context.terminal.result({ compared, differences: differences.length, first: shown }, () =>
    [
      differences.length === 0
        ? `${counted(compared, 'user')} compared field by field: registry and directory are equal.`
        : `${counted(compared, 'user')} compared, ${grouped(differences.length)} differences:`,
      ...shown.map(
        (one) =>
          `  ${one.id}  ${one.field}${'registry' in one ? `  ${JSON.stringify(one.registry)} / ${JSON.stringify(one.directory)}` : ''}`,
      ),
    ].join('\n'),
  )
  return differences.length === 0 ? 'done' : 'wrong'
}

/**
 * The directory in memory by id, the two sides page by different keys (creation time and id), so that a
 * merge of two streams would need both sorted by one. About 1 KB a user.
 */
async function peopleById(directory: ServiceClient) {
  const people = new Map<string, Person>()
  for await (const person of pagesById(directory, '/v1/people?limit=500', personPage)) people.set(person.id, person)
  return {
    take(id: string): Person | undefined {
      const found = people.get(id)
      people.delete(id)
      return found
    },
    left: () => [...people.keys()],
  }
}

/** Looks at the suspects again until they agree or patience ends. */
async function confirm(
  { signal }: CommandContext,
  { registry, directory }: { readonly registry: ServiceClient; readonly directory: ServiceClient },
  suspects: readonly string[],
  patienceMs: number,
): Promise<Difference[]> {
  const until = Date.now() + patienceMs
  let left = suspects
  for (;;) {
    const found: Difference[] = []
    for (const id of left) {
      const [user, person] = await Promise.all([one(registry, `/v1/users/${id}`), one(directory, `/v1/people/${id}`)])
      const wanted = user === undefined ? undefined : registryUser.parse(user)
      const visible = wanted?.status === 'deleted' ? undefined : wanted
      const seen = person === undefined ? undefined : personPage.shape.items.element.parse(person)
      if (visible === undefined && seen === undefined) continue
      found.push(
        ...(visible === undefined
          ? [{ id, field: '(only in the directory)', registry: null, directory: id }]
          : differencesOf(visible, seen)),
      )
    }
    left = [...new Set(found.map(({ id }) => id))]
    if (left.length === 0 || Date.now() >= until) return found
    await delay(Math.min(500, Math.max(1, until - Date.now())), undefined, { signal })
  }
}

async function one(client: ServiceClient, path: string): Promise<unknown> {
  const answer = await client.request(path, { expect: [404] })
  if (answer.status === 404) {
    await answer.arrayBuffer()
    return undefined
  }
  return answer.json()
}
