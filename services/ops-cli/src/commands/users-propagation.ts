import { setTimeout as delay } from 'node:timers/promises'
import { Command } from 'commander'
import { z } from 'zod'
import { type Act, type CommandContext, clientOf, type Outcome } from '../command-context.js'
import { uuid, wholeNumber } from '../option-values.js'
import { columns, counted, grouped } from '../terminal.js'

const propagation = z.object({
  userId: z.string(),
  version: z.number(),
  subscribers: z.array(
    z.object({
      service: z.string(),
      projection: z.string(),
      status: z.enum(['applied', 'pending', 'parked', 'unreachable']),
      version: z.number().nullable(),
      lagRecords: z.number().nullable(),
      since: z.string().nullable(),
      instance: z.string(),
    }),
  ),
})
type Propagation = z.output<typeof propagation>

/** `rollcall users propagation <id>` */
export const usersPropagationCommand = (act: Act): Command =>
  new Command('propagation')
    .summary('which services have applied a change of a user')
    .argument('<id>', 'the id of the user', uuid)
    .option('--version <n>', 'the version asked for (default: the current one)', wholeNumber(1, 1_000_000_000))
    .option('--wait', 'wait until all have applied it')
    .option('--timeout <s>', 'most seconds to wait', wholeNumber(1, 3_600), 30)
    .addHelpText(
      'after',
      `
Exit codes: 0 all have applied it, 1 some have not, 2 wrong usage.

Examples:
  rollcall users propagation 01934f6e-0000-7000-8000-000000000001
  rollcall users propagation 01934f6e-0000-7000-8000-000000000001 --version 3 --wait`,
    )
    .action(act(showPropagation))

interface PropagationOptions {
  readonly version?: number
  readonly wait?: boolean
  readonly timeout: number
}

const POLL_MS = 250

async function showPropagation(context: CommandContext, id: string, options: PropagationOptions): Promise<Outcome> {
  const { terminal, signal } = context
  const client = clientOf(context, 'registry')
  const deadline = Date.now() + options.timeout * 1_000
  const read = (version: number | undefined) =>
    client.get(`/v1/users/${id}/propagation${version === undefined ? '' : `?version=${version}`}`, propagation)
  let found = await read(options.version)
  // The version of the first answer: later changes are not what was asked for.
  while (options.wait === true && missing(found).length > 0 && Date.now() < deadline) {
    await delay(Math.min(POLL_MS, Math.max(0, deadline - Date.now())), undefined, { signal })
    found = await read(found.version)
  }
  await terminal.result(found, () => text(context, found))
  return missing(found).length === 0 ? 'done' : 'wrong'
}

const missing = ({ subscribers }: Propagation) => subscribers.filter(({ status }) => status !== 'applied')

function text({ terminal }: CommandContext, found: Propagation): string {
  const { version, subscribers } = found
  if (subscribers.length === 0) return 'Nobody subscribes.'
  const { green, yellow, red } = terminal.paint
  const colour = { applied: green, pending: yellow, parked: red, unreachable: red }
  const table = columns(
    ['SUBSCRIBER', 'STATUS', 'VERSION', 'LAG', 'SINCE', 'INSTANCE'],
    subscribers.map((one) => [
      `${one.service}/${one.projection}`,
      colour[one.status](one.status),
      one.version ?? '-',
      one.lagRecords === null ? '-' : grouped(one.lagRecords),
      one.since ?? '-',
      one.instance,
    ]),
    terminal.paint,
  )
  const left = missing(found).length
  const verdict =
    left === 0
      ? `Version ${version} is applied everywhere.`
      : `Version ${version} is missing at ${counted(left, 'subscriber')} of ${grouped(subscribers.length)}.`
  return `${table}\n${verdict}`
}
