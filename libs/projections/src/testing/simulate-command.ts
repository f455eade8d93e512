import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import type { ProjectedEvent, Projection } from '../define-projection.js'
import { type SimulateOptions, type Simulation, simulate } from './simulator/simulate.js'

const HELP = `simulate <module> [export…] [--seeds n] [--from n] [--seed n] [--users n] [--events n] [--processes n]

Runs the projections a module exports through the simulator: crashes, rebalances, zombies, duplicates, poison and the rest.

  --seeds      schedules to run (1000)
  --from       the first seed (1)
  --seed       this one alone, as a failure named it
  --users      most users in a schedule (3)
  --events     most events of a user (5)
  --processes  most processes at the same time (2)
`

export interface CommandOutput {
  out(text: string): void
  /** Lines that are written over. */
  progress(text: string): void
}

/** The command line of the simulator. Answers the exit code: 1 when a law is broken, 2 when it cannot begin. */
export async function simulateCommand(args: readonly string[], output: CommandOutput): Promise<number> {
  let options: SimulateOptions<ProjectedEvent, unknown>
  let found: [string, Projection<ProjectedEvent, unknown>][]
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true })
    const [module, ...names] = positionals
    if (values.help || module === undefined) {
      output.out(HELP)
      return values.help ? 0 : 2
    }
    options = numbersOf(values)
    found = await projectionsIn(module, names)
  } catch (error) {
    output.out(`${(error as Error).message}\n`)
    return 2
  }
  let failed = false
  for (const [, projection] of found) failed = !(await run(projection, options, output)) || failed
  return failed ? 1 : 0
}

const text = { type: 'string' } as const
const OPTIONS = {
  seeds: text,
  from: text,
  seed: text,
  users: text,
  events: text,
  processes: text,
  help: { type: 'boolean' },
} as const

function numbersOf(values: Readonly<Record<string, string | boolean | undefined>>) {
  const numbers: Record<string, number> = {}
  for (const [name, value] of Object.entries(values)) {
    if (typeof value !== 'string') continue
    const number = Number(value.replaceAll('_', ''))
    if (!Number.isSafeInteger(number) || number < 1)
      throw new Error(`--${name} is ${value}; it must be a whole number from 1`)
    numbers[name] = number
  }
  return numbers
}

async function projectionsIn(module: string, names: readonly string[]) {
  const exported = (await import(pathToFileURL(resolve(module)).href)) as Record<string, unknown>
  const missing = names.find((name) => !isProjection(exported[name]))
  if (missing !== undefined) throw new Error(`${module} exports no projection '${missing}'`)
  const found = Object.entries(exported).filter(
    (entry): entry is [string, Projection<ProjectedEvent, unknown>] =>
      isProjection(entry[1]) && (names.length === 0 || names.includes(entry[0])),
  )
  if (found.length === 0)
    throw new Error(`${module} exports no projection; there are: ${Object.keys(exported).join(', ')}`)
  return found
}

const isProjection = (value: unknown): value is Projection<ProjectedEvent, unknown> =>
  typeof value === 'object' &&
  value !== null &&
  'topic' in value &&
  'name' in value &&
  ('table' in value || 'on' in value || 'onBatch' in value)

/** Answers whether every law held. */
async function run(
  projection: Projection<ProjectedEvent, unknown>,
  options: SimulateOptions<ProjectedEvent, unknown>,
  { out, progress }: CommandOutput,
): Promise<boolean> {
  const { name } = projection
  const startedAt = performance.now()
  let shownAt = startedAt
  const simulation = await simulate(projection, {
    ...options,
    progress(seeds) {
      if (performance.now() - shownAt < 1_000) return
      shownAt = performance.now()
      progress(`\r${name}: ${grouped(seeds)} seeds`)
    },
  })
  if (shownAt > startedAt) progress('\r')
  if (simulation.failure !== undefined) out(`${simulation.failure.text}\n\n`)
  out(`${name}: ${summary(simulation, (performance.now() - startedAt) / 1_000)}\n`)
  return simulation.failure === undefined
}

function summary({ seeds, steps, virtualMs, faults, failure }: Simulation, seconds: number): string {
  const rate = grouped(Math.round(seeds / seconds))
  const size = `${grouped(seeds)} seeds in ${seconds.toFixed(1)} s (${rate}/s), ${grouped(steps)} steps, ${grouped(faults)} faults, ${grouped(Math.round(virtualMs / 3_600_000))} hours of virtual time`
  return `${size}: ${failure === undefined ? 'every law held' : `seed ${failure.seed} broke one`}`
}

const grouped = (value: number) => value.toLocaleString('en')
