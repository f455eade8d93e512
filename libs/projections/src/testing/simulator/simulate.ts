import { history as userHistory } from '@rollcall/events/testing'
import type { ProjectedEvent, Projection } from '../../define-projection.js'
import type { LogSource } from '../../log-source.js'
import type { ProjectionStore } from '../../store/projection-store.js'
import { LAWS, type Law } from './laws.js'
import type { MemoryTables } from './memory-tables.js'
import { type Outcome, runSchedule } from './run-schedule.js'
import { FAULT_KINDS, type FaultKind, type Schedule, type ScheduleShape, scheduleOf } from './schedule.js'
import { showSchedule } from './show.js'
import { shrink } from './shrink.js'
import { HISTORIES, type Subject, subjectOf } from './subject.js'

export interface SimulateOptions<E extends ProjectedEvent, Tx> {
  /** How many seeds, each a schedule of its own. @default 1000 */
  readonly seeds?: number
  /** The first seed. @default 1 */
  readonly from?: number
  /** This seed alone; what a failure told to try again. */
  readonly seed?: number
  /** Most users in a schedule, at most 32. @default 3 */
  readonly users?: number
  /** Most events of a user. @default 5 */
  readonly events?: number
  /** Most processes that run the projection at the same time. @default 2 */
  readonly processes?: number
  /** What may go wrong. @default everything */
  readonly faults?: readonly FaultKind[]
  /** What `on` and `onBatch` handlers get as `tx`, over rows in memory. @default the `MemoryTables` themselves */
  readonly tx?: (tables: MemoryTables) => Tx
  /** The first `length` events of the nth user. @default made-up users of `users.lifecycle.v1` */
  readonly history?: (user: number, length: number) => readonly E[]
  /** Stops after so many milliseconds, however many seeds are left. */
  readonly timeoutMs?: number
  /** Put around the store of every process: to see whether the laws would notice a store that does not keep its word. */
  readonly wrapStore?: (store: ProjectionStore<Tx>) => ProjectionStore<Tx>
  /** The same around the log. */
  readonly wrapLog?: (log: LogSource) => LogSource
  /** Told after each hundred seeds. */
  readonly progress?: (seeds: number) => void
}

export interface Simulation {
  /** Seeds that were run; the last one failed when there is a failure. */
  readonly seeds: number
  /** Steps of all processes, in all seeds. */
  readonly steps: number
  /** Milliseconds that passed in all schedules together. */
  readonly virtualMs: number
  /** Faults planned, in all seeds. */
  readonly faults: number
  readonly failure: SimulationFailure | undefined
}

export interface SimulationFailure {
  readonly seed: number
  /** Which law does not hold. */
  readonly law: Law
  /** What was found. */
  readonly found: string
  /** The shortest schedule that was found to break a law; to be looked at, or run again with `runSchedule`. */
  readonly schedule: Schedule
  /** What happens in it, step by step. */
  readonly trace: readonly string[]
  /** All of it in words, as `expectSimulated` throws it. */
  readonly text: string
}

/**
 * Runs a projection in the real runner against a log, a database and a clock in memory: a schedule for each seed, with
 * duplicates, rebalances, crashes between any two steps, zombies, poison and the rest. Equal seeds, equal schedules. It ends
 * at the first seed that breaks a law, and answers the shortest schedule that still does.
 */
export async function simulate<E extends ProjectedEvent, Tx>(
  projection: Projection<E, Tx>,
  options: SimulateOptions<E, Tx> = {},
): Promise<Simulation> {
  const { seed: only, from = only ?? 1, seeds: count = only === undefined ? 1_000 : 1, timeoutMs, progress } = options
  const shape = shapeOf(options)
  const subject = subjectFor(projection, options, shape)
  const deadline = timeoutMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + timeoutMs
  let steps = 0
  let virtualMs = 0
  let faults = 0
  for (let done = 0; done < count; done++) {
    const schedule = scheduleOf(from + done, shape)
    const outcome = await withoutStacks(() => runSchedule(subject, schedule))
    steps += outcome.steps
    virtualMs += outcome.virtualMs
    faults += schedule.faults.length
    if (outcome.broken !== undefined) {
      return { seeds: done + 1, steps, virtualMs, faults, failure: await explained(subject, schedule, outcome) }
    }
    if ((done + 1) % 100 === 0) {
      progress?.(done + 1)
      if (performance.now() > deadline) return { seeds: done + 1, steps, virtualMs, faults, failure: undefined }
    }
  }
  return { seeds: count, steps, virtualMs, faults, failure: undefined }
}

/**
 * `simulate` for a test: rejects with the seed, the shortest failing schedule and what happens in it.
 *
 * @throws SimulationError
 */
export async function expectSimulated<E extends ProjectedEvent, Tx>(
  projection: Projection<E, Tx>,
  options: SimulateOptions<E, Tx> = {},
): Promise<Simulation> {
  const simulation = await simulate(projection, options)
  if (simulation.failure !== undefined) throw new SimulationError(simulation.failure)
  return simulation
}

/** A law was broken; the message is all there is to know. */
export class SimulationError extends Error {
  constructor(readonly failure: SimulationFailure) {
    super(failure.text)
    // The stack says nothing about it, and hides what does.
    this.stack = failure.text
  }
}

function shapeOf<E extends ProjectedEvent, Tx>(options: SimulateOptions<E, Tx>): ScheduleShape {
  const { users = 3, events = 5, processes = 2, faults = FAULT_KINDS } = options
  const isWhole = (value: number, most: number) => Number.isSafeInteger(value) && value >= 1 && value <= most
  if (!isWhole(users, HISTORIES)) throw new RangeError(`users is ${users}; it must be 1 to ${HISTORIES}`)
  if (!isWhole(events, 1_000)) throw new RangeError(`events is ${events}; it must be 1 to 1000`)
  if (!isWhole(processes, 16)) throw new RangeError(`processes is ${processes}; it must be 1 to 16`)
  return { users, events, processes, faults }
}

function subjectFor<E extends ProjectedEvent, Tx>(
  projection: Projection<E, Tx>,
  { tx, history, wrapStore, wrapLog }: SimulateOptions<E, Tx>,
  { events }: ScheduleShape,
): Subject<E, Tx> {
  return subjectOf({
    projection,
    events,
    tx: tx ?? ((tables) => tables as Tx),
    history: history ?? ((user, length) => userHistory(length, { seed: user + 1 }) as unknown as readonly E[]),
    wrapStore,
    wrapLog,
  })
}

/** Thousands of errors are thrown on purpose, and the trace of each costs as much as ten steps. */
async function withoutStacks<R>(work: () => Promise<R>): Promise<R> {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return await work()
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

const MOST_ATTEMPTS = 2_000

async function explained<E extends ProjectedEvent, Tx>(
  subject: Subject<E, Tx>,
  schedule: Schedule,
  outcome: Outcome,
): Promise<SimulationFailure> {
  let runs = 0
  const fails = async (candidate: Schedule) => {
    runs++
    return (await withoutStacks(() => runSchedule(subject, candidate))).broken !== undefined
  }
  const shortest = await shrink(schedule, fails, { attempts: MOST_ATTEMPTS })
  const again = await runSchedule(subject, shortest, { isTraced: true })
  const { trace } = again
  const { broken = outcome.broken } = again
  const { law = 'fold', found = '' } = broken ?? {}
  const { seed } = schedule
  const typeOf = (user: number, version: number) => subject.typeOf(seed, user, version)
  const left = `${shortest.writes.length} of ${schedule.writes.length} events and ${shortest.faults.length} of ${schedule.faults.length} faults`
  const text = [
    `Projection '${subject.projection.name}' breaks a law with seed ${seed}: ${LAWS[law]}.`,
    `  ${found}`,
    '',
    `The shortest schedule found that breaks one (${left} are left, ${runs} runs):`,
    ...indented(showSchedule(shortest, typeOf)),
    '',
    ...(again.broken === undefined ? [MOODY, ''] : []),
    'What happens in it:',
    ...indented(shortened(trace).join('\n')),
    '',
    `Run it again: simulate(${subject.projection.name}, { seed: ${seed} })`,
  ].join('\n')
  return { seed, law, found, schedule: shortest, trace, text }
}

const MOODY =
  'Run once more it broke none, so what was found is of the first run: the handlers remember something beside their transaction.'

const MOST_LINES = 120

function shortened(trace: readonly string[]): readonly string[] {
  const over = trace.length - MOST_LINES
  if (over <= 0) return trace
  return [...trace.slice(0, MOST_LINES - 20), `… ${over} lines …`, ...trace.slice(-20)]
}

const indented = (text: string) => text.split('\n').map((line) => `  ${line}`)
