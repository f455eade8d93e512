import { setTimeout as delay } from 'node:timers/promises'
import { toErrorFacts } from '@rollcall/errors'
import { createCodec, userLifecycle } from '@rollcall/events'
import { Command } from 'commander'
import { z } from 'zod'
import { type Act, type CommandContext, clientOf, type HttpService, type Outcome } from '../command-context.js'
import { address, ENDPOINT_NAMES } from '../endpoints.js'
import { withKafka } from '../kafka-of.js'
import { wholeNumber } from '../option-values.js'
import { type ProjectionStatus, readProjections, stoppedOf } from '../projection-status.js'
import { columns, counted, grouped, spoken, type Terminal } from '../terminal.js'

/** `rollcall status` */
export const statusCommand = (act: Act): Command =>
  new Command('status')
    .summary('is everything there, and does everything move?')
    .description(
      'Asks every service, the relay, the projections, Kafka and the schema registry, and says what is wrong.',
    )
    .option('--watch [seconds]', 'ask again and again until Ctrl-C (default: every 2 seconds)', wholeNumber(1, 3_600))
    .addHelpText(
      'after',
      `
Exit codes: 0 all is well, 1 something is wrong, 2 wrong usage.

Examples:
  rollcall status
  rollcall status --watch
  rollcall status --json | jq .problems`,
    )
    .action(act(showStatus))

const holder = z.object({
  kind: z.string(),
  name: z.string(),
  pid: z.number().nullable(),
  state: z.string(),
  database: z.string().nullable(),
  ageMs: z.number().nullable(),
  transactions: z.number().nullable(),
  standstillInMs: z.number().nullable(),
  walBytes: z.number().nullable(),
  holdsBack: z.array(z.string()),
  wayOut: z.string(),
})

const outboxStatus = z.object({
  process: z.object({ instance: z.string(), role: z.string(), epoch: z.number() }),
  outbox: z.object({
    owner: z.string().nullable(),
    active: z.boolean(),
    epoch: z.number(),
    backLog: z.boolean(),
    shipped: z.number(),
    waiting: z.number(),
    oldestWaitingMs: z.number(),
    oldestWriter: z.object({ pid: z.number(), ageMs: z.number(), application: z.string() }).nullable(),
    holders: z.array(holder).default([]),
  }),
})

type OutboxStatus = z.output<typeof outboxStatus>['outbox']

interface ServiceState {
  readonly name: string
  readonly address: string | null
  readonly state: 'ready' | 'not ready' | 'down'
  readonly why?: string
}

async function showStatus(context: CommandContext, { watch }: { watch?: number | true }): Promise<Outcome> {
  const { terminal, signal } = context
  for (;;) {
    const status = await readStatus(context)
    if (watch !== undefined && terminal.onScreen) await terminal.write(CLEAR)
    await terminal.result(status, () => render(terminal, status))
    if (watch !== undefined) await delay((watch === true ? 2 : watch) * 1_000, undefined, { signal }).catch(() => {})
    if (watch === undefined || signal.aborted) return status.ok ? 'done' : 'wrong'
  }
}

const CLEAR = '\x1b[H\x1b[2J'

interface Status {
  readonly ok: boolean
  readonly services: readonly ServiceState[]
  readonly outbox: OutboxStatus | null
  readonly projections: readonly ProjectionStatus[] | null
  /** One sentence for each thing that is wrong. */
  readonly problems: readonly string[]
}

async function readStatus(context: CommandContext): Promise<Status> {
  const [registry, relay, directory, kafka, schemas, outbox, projections] = await Promise.all([
    serviceState(context, 'registry'),
    serviceState(context, 'relay'),
    serviceState(context, 'directory'),
    probe(context, 'kafka', () => withKafka(context, (client) => client.ping())),
    probe(context, 'schemaRegistry', () =>
      createCodec(userLifecycle, { schemaRegistryUrl: address(context.endpoints, 'schemaRegistry') }).ready(),
    ),
    attempt(async () => (await clientOf(context, 'relay').get('/status', outboxStatus)).outbox),
    attempt(() => readProjections(clientOf(context, 'directory'))),
  ])
  const services = [registry, relay, directory, kafka, schemas]
  const problems = [
    ...services.filter(({ state }) => state !== 'ready').map(({ name, state, why }) => `${name} is ${state}: ${why}`),
    ...('value' in outbox ? outboxProblems(outbox.value) : unasked(relay, outbox.why)),
    ...('value' in projections ? projections.value.flatMap(projectionProblems) : unasked(directory, projections.why)),
  ]
  return {
    ok: problems.length === 0,
    services,
    outbox: 'value' in outbox ? outbox.value : null,
    projections: 'value' in projections ? projections.value : null,
    problems,
  }
}

/** A service that is not ready has told why already; one that is, and does not say how far it is, is a problem. */
const unasked = ({ name, state }: ServiceState, why: string) =>
  state === 'ready' ? [`${name} is ready, but does not say how far it is: ${why}`] : []

const ready = z.object({
  status: z.string(),
  checks: z.record(z.string(), z.object({ status: z.string(), reason: z.string().optional() })),
})

async function serviceState(context: CommandContext, name: HttpService): Promise<ServiceState> {
  const { spoken } = ENDPOINT_NAMES[name]
  try {
    const client = clientOf(context, name)
    const answer = await client.request('/health/ready', { expect: [503], timeoutMs: 5_000 })
    if (answer.ok) return { name: spoken, address: client.url, state: 'ready' }
    const { checks } = ready.parse(await answer.json())
    const why = Object.entries(checks).flatMap(([check, { reason }]) =>
      reason === undefined ? [] : `${check}: ${reason}`,
    )
    return { name: spoken, address: client.url, state: 'not ready', why: why.join('; ') }
  } catch (error) {
    return { name: spoken, address: context.endpoints[name] ?? null, state: 'down', why: toErrorFacts(error).message }
  }
}

async function probe(
  context: CommandContext,
  name: 'kafka' | 'schemaRegistry',
  work: () => Promise<unknown>,
): Promise<ServiceState> {
  const { spoken } = ENDPOINT_NAMES[name]
  const where = context.endpoints[name] ?? null
  try {
    await work()
    return { name: spoken, address: where, state: 'ready' }
  } catch (error) {
    return { name: spoken, address: where, state: 'down', why: toErrorFacts(error).message }
  }
}

async function attempt<T>(work: () => Promise<T>): Promise<{ value: T } | { why: string }> {
  try {
    return { value: await work() }
  } catch (error) {
    return { why: toErrorFacts(error).message }
  }
}

const SLOW_MS = 10_000

function outboxProblems({ active, waiting, oldestWaitingMs, holders }: OutboxStatus): string[] {
  const problems: string[] = []
  if (!active) problems.push('no relay holds the lead; events wait in the outbox')
  if (oldestWaitingMs > SLOW_MS)
    problems.push(
      `${grouped(waiting)} events wait in the outbox, the oldest for ${Math.round(oldestWaitingMs / 1_000)} s`,
    )
  problems.push(...holders.filter(({ holdsBack }) => holdsBack.length > 0).map(holderLine))
  return problems
}

/** Who holds back what, since when, and how to end it. An open transaction delays no other message than its own. */
function holderLine(one: z.output<typeof holder>): string {
  const who = `${one.kind} ${one.name}${one.pid === null ? '' : ` (pid ${one.pid})`}`
  const since = one.ageMs === null ? '' : ` for ${spoken(one.ageMs / 1_000)}`
  const facts = [
    ...(one.transactions === null ? [] : [`${grouped(one.transactions)} transactions behind`]),
    ...(one.walBytes === null ? [] : [`${grouped(Math.round(one.walBytes / 1_048_576))} MB of WAL kept`]),
    ...(one.standstillInMs === null ? [] : [`writes stop in ${spoken(one.standstillInMs / 1_000)} at this rate`]),
  ]
  return `${who}, ${one.state}${since}, holds back ${one.holdsBack.join(', ')}${facts.length === 0 ? '' : ` (${facts.join('; ')})`}: ${one.wayOut}`
}

function projectionProblems(projection: ProjectionStatus): string[] {
  const { name, state, lagSeconds, lagRecords, parkedUsers } = projection
  return [
    ...stoppedOf(projection).map(
      ({ partition, failure }) =>
        `projection ${name} partition ${partition} has stopped: ${failure?.code ?? ''} ${failure?.message ?? ''}`,
    ),
    ...(parkedUsers > 0
      ? [`projection ${name} has ${counted(parkedUsers, 'parked user')}; see rollcall dead-letters list ${name}`]
      : []),
    ...(state === 'paused' ? [`projection ${name} is paused`] : []),
    ...(state === 'running' && lagSeconds > SLOW_MS / 1_000
      ? [`projection ${name} is ${grouped(lagRecords)} events and ${Math.round(lagSeconds)} s behind`]
      : []),
  ]
}

function render({ paint }: Terminal, { services, outbox, projections, problems }: Status): string {
  const state = (text: ServiceState['state']) => (text === 'ready' ? paint.green(text) : paint.red(text))
  return [
    columns(
      ['SERVICE', 'STATE', 'ADDRESS'],
      services.map((one) => [one.name, state(one.state), one.address ?? '-']),
      paint,
    ),
    ...(outbox === null
      ? []
      : [
          '',
          columns(
            ['RELAY', 'EPOCH', 'SHIPPED', 'WAITING', 'OLDEST'],
            [
              [
                outbox.active ? (outbox.owner ?? '-') : 'none',
                outbox.epoch,
                grouped(outbox.shipped),
                grouped(outbox.waiting),
                `${(outbox.oldestWaitingMs / 1_000).toFixed(1)} s`,
              ],
            ],
            paint,
          ),
        ]),
    ...(projections === null
      ? []
      : [
          '',
          columns(
            ['PROJECTION', 'STATE', 'LAG', 'SECONDS', 'STOPPED'],
            projections.map((one) => [
              one.name,
              one.state,
              grouped(one.lagRecords),
              one.lagSeconds.toFixed(1),
              stoppedOf(one).length,
            ]),
            paint,
          ),
        ]),
    '',
    ...(problems.length === 0 ? [paint.green('All is well.')] : problems.map((problem) => paint.red(`! ${problem}`))),
  ].join('\n')
}
