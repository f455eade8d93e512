import type { ProjectedEvent } from '../../define-projection.js'
import { endChecks } from './end-state.js'
import { eventFaultsOf } from './event-faults.js'
import { planFaults } from './fault-plan.js'
import { commitLaws, LawBroken } from './laws.js'
import { memoryDatabase } from './memory-database.js'
import { tablesOf } from './memory-store.js'
import { operatorOf, TIDY_EVERY_MS } from './operator.js'
import { processHost } from './process-host.js'
import type { Schedule } from './schedule.js'
import { showCommit } from './show-commit.js'
import type { Subject } from './subject.js'
import { topicWrites } from './topic-writes.js'
import { SimulationStuck, virtualTime } from './virtual-time.js'
import { castOf, type Progress, worldOf } from './world.js'

/** How one simulation ended. */
export interface Outcome {
  /** Undefined: every law held. */
  readonly broken: LawBroken | undefined
  readonly steps: number
  readonly virtualMs: number
  /** What happened, one line each; only when asked for. */
  readonly trace: readonly string[]
}

/** Runs the real runner, in all its processes, through one schedule, and holds it to the laws. */
export async function runSchedule<E extends ProjectedEvent, Tx>(
  subject: Subject<E, Tx>,
  schedule: Schedule,
  { isTraced = false }: { readonly isTraced?: boolean } = {},
): Promise<Outcome> {
  const { projection, rowOf } = subject
  const { name } = projection
  const time = virtualTime(START_MS)
  const trace: string[] = []
  const tell = isTraced
    ? (line: () => string) => void trace.push(`${String(time.now() - START_MS).padStart(6)} ms  ${line()}`)
    : () => {}
  const cast = castOf(subject, schedule)
  const { names } = cast
  const progress: Progress = { broken: undefined, isMended: false, isChanged: true, toCome: 0, steps: 0 }

  const database = memoryDatabase((session) => {
    laws(session)
    progress.isChanged = true
    const told = isTraced ? showCommit(session, names) : undefined
    if (told !== undefined) tell(() => told)
  })
  const tables = tablesOf(database)
  const read = new Set<E>()
  const laws = commitLaws<E>({
    name,
    tables,
    partitions: () => host.log.partitions,
    eventIn: subject.eventIn,
    wasRead: (userId, version) => read.has(cast.eventOfId(userId, version)),
    rowAt: rowOf && ((userId, version) => rowOf(cast.eventOfId(userId, version))),
    tableName: projection.table?.name,
    names,
  })

  const world = worldOf({ subject, schedule, cast, time, database, tables, isTraced, tell, progress })
  const faults = eventFaultsOf(schedule, cast)
  const host = processHost(world, (value) => {
    const event = subject.eventIn(value)
    if (!progress.isMended) faults.beforeDecode(event)
    read.add(event)
    return event
  })
  const operator = operatorOf(world, host.processes)
  const topic = topicWrites(world, faults, host.log)
  const { targets } = topic
  const { partitions } = host.log
  const end = endChecks({
    subject,
    database,
    tables,
    partitions,
    names,
    targets,
    eventOf: cast.eventOfId,
    startMs: START_MS,
  })

  /** Handlers that return promises, and have not ended. */
  let handlers = 0
  subject.watch({
    before: (event) => progress.isMended || faults.beforeHandler(event),
    running(by, session) {
      session.handlers += by
      handlers += by
    },
    effects: (events, session) => void session.notes.push(...events),
  })

  try {
    planFaults(world, { host, operator, topic })
    topic.plan()
    for (const process of host.processes) time.after(host.latency(), undefined, () => host.start(process))
    time.after(TIDY_EVERY_MS, undefined, operator.tidy)

    await goOn(end.isDrained, 'with what is poisoned')
    progress.broken ??= end.blocked()
    progress.isMended = true
    progress.isChanged = true
    if (progress.broken === undefined) {
      tell(() => 'everything is mended')
      await goOn(() => end.isDrained() && end.isClear(), 'after everything was mended')
    }
    if (progress.broken === undefined) await end.check()
  } catch (error) {
    if (!(error instanceof LawBroken)) throw error
    progress.broken ??= error
  } finally {
    subject.watch(undefined)
  }
  return { broken: progress.broken, steps: progress.steps, virtualMs: time.now() - START_MS, trace }

  async function goOn(isThere: () => boolean, what: string): Promise<void> {
    const untilMs = time.now() + LONGEST_MS
    try {
      await time.run(look(isThere), { untilMs, steps: MOST_STEPS, isOutside })
    } catch (error) {
      if (!(error instanceof SimulationStuck)) throw error
      progress.broken ??= new LawBroken('drains', `${what}: ${error.message}; ${end.standing()}`)
    }
  }

  function look(isThere: () => boolean): () => boolean {
    return () => {
      if (progress.broken !== undefined) return true
      if (progress.toCome > 0 || !progress.isChanged) return false
      progress.isChanged = false
      return isThere()
    }
  }

  function isOutside(): boolean {
    if (handlers <= 0) return false
    for (const { current } of host.processes) {
      for (const session of current?.sessions ?? []) if (session.handlers > 0 && session.steps === 0) return true
    }
    return false
  }
}

/** 5 January 2026. */
const START_MS = Date.UTC(2026, 0, 5)
/** Of virtual time, for each of the two halves. */
const LONGEST_MS = 180_000
const MOST_STEPS = 50_000
