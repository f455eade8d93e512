import type { ProjectedEvent } from '../../define-projection.js'
import type { HealRequest } from '../../parking/heal-gaps.js'
import { EventsUnavailableError } from '../../projection-errors.js'
import { runProjections } from '../../run-projections.js'
import { drawAt } from './chance.js'
import { LawBroken } from './laws.js'
import { Blocked, commit, MemoryDatabaseError, type MemorySession, rollback } from './memory-database.js'
import { type MemoryLog, memoryLog } from './memory-log.js'
import { memoryStore } from './memory-store.js'
import { type Process, type ProcessRun, processOf } from './process.js'
import type { Fault } from './schedule.js'
import { nameOfProcess, showFault } from './show.js'
import { NO_LOGGER, NO_METRICS } from './silent.js'
import { stackless } from './subject.js'
import type { Actor } from './virtual-time.js'
import type { World } from './world.js'

/** The processes that run the projection, and the log they read. */
export interface ProcessHost {
  readonly processes: readonly Process[]
  readonly log: MemoryLog
  /** Milliseconds until something that belongs to no process happens. */
  latency(): number
  start(process: Process): void
  /** Ends the run in good order, and starts the process again. */
  restart(actor: ProcessRun, downMs: number): void
}

/** Hosts the real runner in each process; every step of one is where it may fail, wait, stand still or die. */
export function processHost<E extends ProjectedEvent, Tx>(
  world: World<E, Tx>,
  decode: (value: Buffer) => E,
): ProcessHost {
  const { subject, schedule, cast, time, database, tables, isTraced, tell, draw, progress } = world
  const { projection } = subject
  const { seed, isCalm } = schedule
  const processes = Array.from({ length: schedule.processes }, (_, index) => processOf(index, schedule.faults))
  const latency = (actor: Actor | undefined): number => {
    if (isCalm) return 1
    const process = (actor as ProcessRun | undefined)?.process
    return latencyOf(process === undefined ? draw(99) : drawAt(seed, process.index, process.draws++))
  }

  const log: MemoryLog = memoryLog(projection.topic.name, schedule.partitions, {
    after: (inMs, actor, work) => time.after(inMs, actor, work),
    step: (actor, label, execute) => step(actor as ProcessRun, label, undefined, execute),
    latency,
    below: (bound) => (isCalm ? 0 : draw(98) % bound),
    delivery(actor, asked, available) {
      const { process } = actor as ProcessRun
      const number = ++process.deliveries
      let { from, count } = asked
      const fault = process.deliveryFaults?.get(number)
      if (fault?.kind === 'redelivery') from = Math.max(0, from - fault.back)
      if (fault?.kind === 'skipped records' && available > fault.ahead) from += fault.ahead
      count = Math.min(count + Math.max(0, asked.from - from), schedule.batch)
      if (isTraced) tell(() => `${actor.label} is handed ${asked.partition}:${from}, at most ${count} records`)
      return { partition: asked.partition, from, count }
    },
  })

  return { processes, log, start, restart, latency: () => latency(undefined) }

  function start(process: Process): void {
    const actor: ProcessRun = {
      label: `${nameOfProcess(process.index)}${process.runs > 0 ? `.${process.runs + 1}` : ''}`,
      process,
      isAlive: true,
      frozenUntil: 0,
      sessions: new Set(),
      committing: new Set(),
      running: undefined,
    }
    process.runs++
    process.current = actor
    tell(() => `${actor.label} starts`)
    const running = runProjections<E, Tx>([projection], {
      kafka: subject.wrapLog(log.source(actor)),
      database: subject.wrapStore(
        memoryStore({
          database,
          tables,
          now: time.now,
          step: (label, session, execute) => step(actor, label, session, execute),
          tx: subject.tx,
        }),
      ),
      codec: { decode },
      logger: NO_LOGGER,
      metrics: NO_METRICS,
      instance: actor.label,
      controlIntervalMs: CONTROL_EVERY_MS,
      clock: time.clock(actor, () => drawAt(seed, process.index, 1_000_000 + process.draws++) / 2 ** 32),
      heal: (request) => step(actor, 'ask the registry', undefined, () => missing(request)),
    })
    actor.running = running
    // The database may be away when a process starts: then it ends, and is started again.
    running.start().catch(() => crash(actor, 100))
  }

  /** One step of a process: it takes its time, may fail, may be where the process dies, and may wait for a lock. */
  function step<T>(actor: ProcessRun, label: string, session: MemorySession | undefined, execute: () => T): Promise<T> {
    const { process } = actor
    const number = ++process.steps
    progress.steps++
    let waitMs = latency(actor)
    let failure: MemoryDatabaseError | undefined
    for (const fault of process.stepFaults?.get(number) ?? NONE) {
      tell(() => `!! ${showFault(fault)}`)
      if (fault.kind === 'crash') {
        crash(actor, fault.downMs)
        // Not one promise for all: who awaits it would be held by it for ever.
        return new Promise<T>(() => {})
      }
      if (fault.kind === 'slow step') waitMs += fault.forMs
      if (fault.kind === 'stall') stall(actor, fault.forMs)
      if (fault.kind === 'zombie') log.evict(actor, fault.unawareMs)
      if (fault.kind === 'database error') process.owedErrors++
    }
    const isOfDatabase = session !== undefined || label !== 'offsets'
    if (process.owedErrors > 0 && isOfDatabase && label !== 'rollback') {
      process.owedErrors--
      failure = CONNECTION_LOST
    }
    const isCommit = label === 'commit'
    const isAnswerLost = isCommit && process.lostAnswers?.has(++process.commits) === true
    if (session !== undefined) {
      actor.sessions.add(session)
      if (isCommit) actor.committing.add(session)
    }
    if (session !== undefined) session.steps++
    if (isTraced && !QUIET.has(label)) tell(() => `${actor.label} #${number} ${label}`)
    return new Promise((resolve, reject) => {
      const attempt = () => {
        try {
          if (session !== undefined) failure ??= failureOf(session, label)
          if (failure !== undefined) {
            if (session !== undefined && failure === CONNECTION_LOST) rollback(session)
            throw failure
          }
          const result = execute()
          if (isAnswerLost) {
            tell(() => `!! ${actor.label} gets no answer to its commit`)
            throw CONNECTION_LOST
          }
          if (session !== undefined) session.steps--
          if (session !== undefined && session.state !== 'open') forget(actor, session)
          resolve(result)
        } catch (error) {
          if (error instanceof Blocked) {
            const { holder } = error
            const waiting = session as MemorySession
            waiting.waitsFor = holder
            holder.waiters.push(() => {
              waiting.waitsFor = undefined
              time.after(latency(actor), actor, attempt)
            })
            return
          }
          if (error instanceof LawBroken) {
            progress.broken ??= error
            return
          }
          if (session?.state === 'open') session.state = 'failed'
          if (session !== undefined && session.state !== 'failed') forget(actor, session)
          if (session !== undefined) session.steps--
          tell(() => `${actor.label} #${number} ${label} fails: ${(error as Error).message}`)
          reject(error)
        }
      }
      time.after(waitMs, actor, attempt)
    })
  }

  function forget(actor: ProcessRun, session: MemorySession): void {
    actor.sessions.delete(session)
    actor.committing.delete(session)
  }

  function missing({ userId, fromVersion, toVersion }: HealRequest): Buffer[] {
    if (draw(97) % 8 === 0 && !isCalm) {
      throw stackless(new EventsUnavailableError(userId, fromVersion, toVersion, 'the registry is away'))
    }
    return Array.from(
      { length: toVersion - fromVersion + 1 },
      (_, index) => subject.recordOf(cast.eventOfId(userId, fromVersion + index)).value as Buffer,
    )
  }

  function crash(actor: ProcessRun, downMs: number): void {
    if (!actor.isAlive) return
    const { process } = actor
    actor.isAlive = false
    process.current = undefined
    tell(() => `${actor.label} is dead`)
    for (const session of actor.sessions) {
      // What was under way when the connection broke is rolled back once the database notices; a commit that was sent may be done.
      const chance = draw(96)
      const isDone = actor.committing.has(session) && session.state === 'open' && chance % 2 === 0
      time.after(isCalm ? 1 : 1 + ((chance >>> 8) % 40), undefined, () => {
        try {
          if (isDone && session.waitsFor === undefined) commit(session)
          else rollback(session)
        } catch (error) {
          if (!(error instanceof LawBroken)) throw error
          progress.broken ??= error
        }
      })
    }
    time.after(SESSION_TIMEOUT_MS, undefined, () => log.forget(actor))
    time.after(downMs, undefined, () => {
      if (process.current === undefined) start(process)
    })
  }

  function stall(actor: ProcessRun, forMs: number): void {
    actor.frozenUntil = time.now() + forMs
    if (forMs <= SESSION_TIMEOUT_MS) return
    time.after(SESSION_TIMEOUT_MS, undefined, () => {
      if (actor.isAlive) log.evict(actor, forMs - SESSION_TIMEOUT_MS + 20)
    })
  }

  function restart(actor: ProcessRun, downMs: number): void {
    progress.toCome++
    let hasEnded = false
    const end = () => {
      if (hasEnded) return
      hasEnded = true
      progress.toCome--
      progress.isChanged = true
      crash(actor, downMs)
    }
    time.after(0, actor, () => void actor.running?.close().then(end))
    // It may die, or hang, on the way out.
    time.after(2_000, undefined, end)
  }
}

/** Mostly a few milliseconds, now and then many more. */
function latencyOf(draw: number): number {
  return draw % 16 === 0 ? (draw >>> 8) % 40 : 1 + ((draw >>> 8) & 3)
}

function failureOf(session: MemorySession, label: string): MemoryDatabaseError | undefined {
  if (session.state === 'open' || label === 'rollback' || label === 'commit') return undefined
  return session.state === 'failed' ? IN_FAILED_TRANSACTION : CONNECTION_LOST
}

const CONNECTION_LOST = stackless(new MemoryDatabaseError('08006', 'the connection to the database is lost', true))
const IN_FAILED_TRANSACTION = stackless(
  new MemoryDatabaseError('25P02', 'the transaction is aborted, statements are ignored until it ends', false),
)

/** What is done several times a second and changes nothing. */
const QUIET = new Set(['read', 'offsets', 'gaps', 'known version'])

const NONE: readonly Fault[] = []
/** A tenth of what it is: less idle looking around, in the same order. */
const SESSION_TIMEOUT_MS = 600
const CONTROL_EVERY_MS = 1_000
