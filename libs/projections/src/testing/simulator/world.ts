import type { Logger, Metrics } from '@rollcall/observability'
import { effectsOf } from '../../apply/apply-effects.js'
import type { ProjectedEvent, TableRow } from '../../define-projection.js'
import type { HealRequest } from '../../parking/heal-gaps.js'
import { EventsUnavailableError } from '../../projection-errors.js'
import { type RunningProjections, runProjections } from '../../run-projections.js'
import { drawAt } from './chance.js'
import { checkTables, commitLaws, LawBroken } from './laws.js'
import { stepNow } from './live.js'
import {
  Blocked,
  commit,
  type MemoryDatabase,
  MemoryDatabaseError,
  type MemorySession,
  memoryDatabase,
  rollback,
} from './memory-database.js'
import { type MemoryLog, memoryLog } from './memory-log.js'
import { memoryStore, tablesOf, userTables } from './memory-store.js'
import type { Fault, Schedule } from './schedule.js'
import { nameOfProcess, nameOfUser, showEvent, showFault, type UserNames } from './show.js'
import { HICCUP, POISON, type Subject, stackless, UNREADABLE } from './subject.js'
import { type Actor, SimulationStuck, virtualTime } from './virtual-time.js'

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
  const { seed, partitions, isCalm, writes, faults } = schedule
  const { projection } = subject
  const { name } = projection
  const time = virtualTime(START_MS)
  const trace: string[] = []
  const tell = isTraced
    ? (line: () => string) => void trace.push(`${String(time.now() - START_MS).padStart(6)} ms  ${line()}`)
    : () => {}

  const historyOf = (user: number) => subject.historyOf(seed, user)
  const eventOf = (user: number, version: number) => subject.event(historyOf(user), version)
  const idOf = (user: number) => subject.userId(historyOf(user))
  const users = [...new Set(writes.map(({ user }) => user))]
  const userOf = new Map(users.map((user) => [idOf(user), user]))
  const names: UserNames = {
    of(userId) {
      const user = userOf.get(userId)
      return user === undefined ? userId : nameOfUser(user)
    },
  }

  let broken: LawBroken | undefined
  let isMended = false
  /** Something was committed or written since the state was last looked at. */
  let isChanged = true
  /** Writes, and faults with a time of their own, that are still to come. */
  let toCome = 0
  let steps = 0
  let draws = 0
  /** That return promises, and have not ended. */
  let handlers = 0
  const read = new Set<E>()
  const eventAt = new Map<string, number>()
  for (const user of users) eventAt.set(idOf(user), historyOf(user))

  const database = memoryDatabase((session) => {
    laws(session)
    isChanged = true
    if (isTraced) tellCommit(session)
  })
  const tables = tablesOf(database)
  const rowOf = subject.rowOf
  const laws = commitLaws<E>({
    name,
    tables,
    partitions: () => log.partitions,
    eventIn: subject.eventIn,
    wasRead: (userId, version) => read.has(subject.event(eventAt.get(userId) ?? 0, version)),
    rowAt: rowOf && ((userId, version) => rowOf(subject.event(eventAt.get(userId) ?? 0, version))),
    tableName: projection.table?.name,
    names,
  })

  const processes = Array.from({ length: schedule.processes }, (_, index) => processOf(index, faults))
  const latency = (actor: Actor | undefined): number => {
    if (isCalm) return 1
    const process = (actor as ProcessRun | undefined)?.process
    return latencyOf(drawAt(seed, process?.index ?? 99, process === undefined ? draws++ : process.draws++))
  }

  const log: MemoryLog = memoryLog(projection.topic.name, partitions, {
    after: (inMs, actor, work) => time.after(inMs, actor, work),
    step: (actor, label, execute) => step(actor as ProcessRun, label, undefined, execute),
    latency,
    below: (bound) => (isCalm ? 0 : drawAt(seed, 98, draws++) % bound),
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

  /** One step of a process: it takes its time, may fail, may be where the process dies, and may wait for a lock. */
  function step<T>(actor: ProcessRun, label: string, session: MemorySession | undefined, execute: () => T): Promise<T> {
    const { process } = actor
    const number = ++process.steps
    steps++
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
            broken ??= error
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

  function run(process: Process): void {
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

  function decode(value: Buffer): E {
    const event = subject.eventIn(value)
    if (!isMended && unreadable.has(event)) throw UNREADABLE
    read.add(event)
    return event
  }

  function missing({ userId, fromVersion, toVersion }: HealRequest): Buffer[] {
    if (drawAt(seed, 97, draws++) % 8 === 0 && !isCalm) {
      throw stackless(new EventsUnavailableError(userId, fromVersion, toVersion, 'the registry is away'))
    }
    const history = eventAt.get(userId) ?? 0
    return Array.from(
      { length: toVersion - fromVersion + 1 },
      (_, index) => subject.recordOf(subject.event(history, fromVersion + index)).value as Buffer,
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
      const draw = drawAt(seed, 96, draws++)
      const isDone = actor.committing.has(session) && session.state === 'open' && draw % 2 === 0
      time.after(isCalm ? 1 : 1 + ((draw >>> 8) % 40), undefined, () => {
        try {
          if (isDone && session.waitsFor === undefined) commit(session)
          else rollback(session)
        } catch (error) {
          if (!(error instanceof LawBroken)) throw error
          broken ??= error
        }
      })
    }
    time.after(SESSION_TIMEOUT_MS, undefined, () => log.forget(actor))
    time.after(downMs, undefined, () => {
      if (process.current === undefined) run(process)
    })
  }

  function stall(actor: ProcessRun, forMs: number): void {
    actor.frozenUntil = time.now() + forMs
    if (forMs <= SESSION_TIMEOUT_MS) return
    time.after(SESSION_TIMEOUT_MS, undefined, () => {
      if (actor.isAlive) log.evict(actor, forMs - SESSION_TIMEOUT_MS + 20)
    })
  }

  /** An operator's hand on a process that is there; what does not work is tried again at the end. */
  function operate(process: Process, what: string, act: (running: RunningProjections) => Promise<unknown>): void {
    const actor = process.current ?? processes.find(({ current }) => current !== undefined)?.current
    if (actor?.running === undefined) return
    const { running } = actor
    time.after(0, actor, () => {
      tell(() => `operator: ${what} at ${actor.label}`)
      act(running).catch((error: Error) => tell(() => `operator: ${what} fails: ${error.message}`))
    })
  }

  function append(user: number, version: number): void {
    const event = eventOf(user, version)
    const record = { ...subject.recordOf(event), timestampMs: time.now() }
    const partition = user % partitions
    const hole = holes.get(event)
    const offset = log.append(partition, record, hole === undefined ? {} : { holeBefore: hole })
    isChanged = true
    if (isTraced) tell(() => `topic ${partition}:${offset} is ${showEvent(event, names)}`)
  }

  const unreadable = new Set<E>()
  const poisoned = new Set<E>()
  const hiccups = new Map<E, number>()
  const holes = new Map<E, number>()
  const gone = new Set<E>()

  function later(inMs: number, work: () => void): void {
    toCome++
    time.after(inMs, undefined, () => {
      toCome--
      isChanged = true
      work()
    })
  }

  function plan(fault: Fault): void {
    if ('user' in fault && !users.includes(fault.user)) return
    if ('process' in fault && processes[fault.process] === undefined) return
    const process = 'process' in fault ? (processes[fault.process] as Process) : (processes[0] as Process)
    switch (fault.kind) {
      case 'gap':
        gone.add(eventOf(fault.user, fault.version))
        return
      case 'poison':
        poisoned.add(eventOf(fault.user, fault.version))
        return
      case 'unreadable':
        unreadable.add(eventOf(fault.user, fault.version))
        return
      case 'hiccup':
        hiccups.set(eventOf(fault.user, fault.version), fault.times)
        return
      case 'offset hole':
        holes.set(eventOf(fault.user, fault.version), fault.size)
        return
      case 'duplicate':
        later(fault.atMs, () => append(fault.user, fault.version))
        return
      case 'rebalance':
        later(fault.atMs, () => {
          tell(() => `!! ${showFault(fault)}`)
          log.rebalance()
        })
        return
      case 'retry':
        later(fault.atMs, () =>
          operate(process, `retry ${nameOfUser(fault.user)}`, (running) =>
            running.deadLetters(name).retry(idOf(fault.user), 'operator'),
          ),
        )
        return
      case 'pause':
        later(fault.atMs, () => operate(process, 'pause', (running) => running.pause(name)))
        later(fault.atMs + fault.forMs, () => operate(process, 'resume', (running) => running.resume(name)))
        return
      case 'rebuild':
        later(fault.atMs, () => operate(process, 'rebuild', (running) => running.rebuild(name)))
        return
      case 'restart':
        later(fault.atMs, () => {
          const actor = process.current
          if (actor?.running === undefined) return
          tell(() => `!! ${showFault(fault)}`)
          toCome++
          let hasEnded = false
          const end = () => {
            if (hasEnded) return
            hasEnded = true
            toCome--
            isChanged = true
            crash(actor, fault.downMs)
          }
          const { running } = actor
          time.after(0, actor, () => void running.close().then(end))
          // It may die, or hang, on the way out.
          time.after(2_000, undefined, end)
        })
        return
      default:
    }
  }

  /** Where each user must arrive: at the last version that entered the topic. */
  const targets = new Map<string, number>()

  const isDrained = () => {
    const row = tables.projection.rows.get(name)
    if (row === undefined) return false
    const isRebuilding = row.rebuild !== null && row.rebuild.phase !== 'done' && row.rebuild.phase !== 'failed'
    if (isRebuilding && row.state !== 'paused') return false
    if (row.state === 'paused') return false
    const checkpoints = tables.checkpoint(name).rows
    return log.partitions.every(({ high }, partition) => (checkpoints.get(String(partition))?.position ?? 0) >= high)
  }

  const parkedUsers = () => tables.parked(name).rows
  const versionOf = (userId: string) => tables.version(name).rows.get(userId) ?? 0

  const look = (isThere: () => boolean) => () => {
    if (broken !== undefined) return true
    if (toCome > 0 || !isChanged) return false
    isChanged = false
    return isThere()
  }

  async function goOn(isThere: () => boolean, what: string): Promise<void> {
    const untilMs = time.now() + LONGEST_MS
    try {
      await time.run(look(isThere), { untilMs, steps: MOST_STEPS, isOutside })
    } catch (error) {
      if (!(error instanceof SimulationStuck)) throw error
      broken ??= new LawBroken('drains', `${what}: ${error.message}; ${standing()}`)
    }
  }

  const isOutside = () => {
    if (handlers <= 0) return false
    for (const { current } of processes) {
      for (const session of current?.sessions ?? []) if (session.handlers > 0 && session.steps === 0) return true
    }
    return false
  }

  function standing(): string {
    const checkpoints = [...tables.checkpoint(name).rows].map(
      ([partition, { position, claimedBy, failure }]) =>
        `partition ${partition} at ${position} of ${log.partitions[Number(partition)]?.high}, claimed by ${claimedBy}${failure === null ? '' : `, ${failure.message}`}`,
    )
    const parked = [...parkedUsers()].map(
      ([userId, { failures }]) => `${names.of(userId)} parked: ${failures.at(-1)?.message}`,
    )
    const behind = [...targets].flatMap(([userId, target]) =>
      versionOf(userId) < target ? [`${names.of(userId)} at version ${versionOf(userId)} of ${target}`] : [],
    )
    return [...checkpoints, ...parked, ...behind].join('; ')
  }

  /** The operator's round, once everything is mended: resumes what is paused, retries who is parked. */
  function tidy(): void {
    if (tables.projection.rows.get(name)?.state === 'paused') {
      operate(processes[0] as Process, 'resume', (running) => running.resume(name))
    }
    for (const [userId, { failures }] of parkedUsers()) {
      // A gap heals by itself.
      if (!isMended || failures.at(-1)?.code === 'ERR_PROJECTION_VERSION_GAP') continue
      operate(processes[0] as Process, `retry ${names.of(userId)}`, (running) =>
        running.deadLetters(name).retry(userId, 'operator'),
      )
    }
    time.after(TIDY_EVERY_MS, undefined, tidy)
  }

  function tellCommit(session: MemorySession): void {
    const changes: string[] = []
    for (const [table, rows] of session.writes) {
      for (const [key, row] of rows) changes.push(changeOf(table.name, key, row, names))
    }
    const told = changes.filter((one) => one !== '')
    if (told.length > 0) tell(() => `   committed: ${told.join(', ')}`)
  }

  subject.watch({
    before(event) {
      if (isMended) return
      const hiccup = hiccups.get(event) ?? 0
      if (hiccup > 0) {
        hiccups.set(event, hiccup - 1)
        throw HICCUP
      }
      if (poisoned.has(event)) throw POISON
    },
    running(by, session) {
      session.handlers += by
      handlers += by
    },
    effects: (events, session) => void session.notes.push(...events),
  })

  try {
    for (const fault of faults) plan(fault)
    for (const { user, version, atMs } of writes) {
      const event = eventOf(user, version)
      if (gone.has(event)) continue
      targets.set(event.userId, Math.max(targets.get(event.userId) ?? 0, version))
      if (atMs === 0) append(user, version)
      else later(atMs, () => append(user, version))
    }
    for (const process of processes) time.after(latency(undefined), undefined, () => run(process))
    time.after(TIDY_EVERY_MS, undefined, tidy)

    await goOn(isDrained, 'with what is poisoned')
    if (broken === undefined) {
      for (const [userId, target] of targets) {
        if (parkedUsers().has(userId) || versionOf(userId) >= target) continue
        broken = new LawBroken(
          'blocks',
          `${names.of(userId)} is not parked, and stays at version ${versionOf(userId)} of ${target}`,
        )
      }
    }
    isMended = true
    isChanged = true
    if (broken === undefined) {
      tell(() => 'everything is mended')
      await goOn(
        () => isDrained() && parkedUsers().size === 0 && tables.letter(name).rows.size === 0,
        'after everything was mended',
      )
    }
    if (broken === undefined) await checkEnd()
  } catch (error) {
    if (!(error instanceof LawBroken)) throw error
    broken ??= error
  } finally {
    subject.watch(undefined)
  }
  return { broken, steps, virtualMs: time.now() - START_MS, trace }

  async function checkEnd(): Promise<void> {
    for (const [userId, target] of targets) {
      if (versionOf(userId) === target) continue
      throw new LawBroken('gapless', `${names.of(userId)} ends at version ${versionOf(userId)} of ${target}`)
    }
    if (rowOf === undefined) {
      subject.watch(undefined)
      const events = [...targets].flatMap(([userId, target]) => eventsUpTo(userId, target))
      checkTables(userTables(database), userTables(await folded(subject, events)), names)
      return
    }
    // The fold of a `table` projection is the row of each user's last event.
    const wanted = memoryDatabase().table<TableRow>(projection.table?.name ?? '')
    for (const [userId, target] of targets) {
      const row = rowOf(subject.event(eventAt.get(userId) ?? 0, target))
      if (row !== null) wanted.rows.set(userId, row)
    }
    checkTables(userTables(database), [wanted], names)
  }

  function eventsUpTo(userId: string, target: number): E[] {
    const history = eventAt.get(userId) ?? 0
    return Array.from({ length: target }, (_, index) => subject.event(history, index + 1))
  }
}

/** Where the handlers lead when each event is given to them once, in order, and nothing ever fails. */
async function folded<E extends ProjectedEvent, Tx>(
  subject: Subject<E, Tx>,
  events: readonly E[],
): Promise<MemoryDatabase> {
  const database = memoryDatabase()
  const store = memoryStore<Tx>({
    database,
    now: () => START_MS,
    step: stepNow,
    tx: (tables, session) => subject.tx(tables, session),
  })
  const effects = effectsOf(subject.projection)
  await store.transaction(async (transaction) => {
    for (const event of events) await effects.apply([event], transaction, [])
  })
  return database
}

interface ProcessRun extends Actor {
  readonly process: Process
  readonly sessions: Set<MemorySession>
  readonly committing: Set<MemorySession>
  running: RunningProjections | undefined
}

interface Process {
  readonly index: number
  steps: number
  commits: number
  deliveries: number
  draws: number
  runs: number
  /** Statements that are yet to fail. */
  owedErrors: number
  current: ProcessRun | undefined
  readonly stepFaults: Map<number, Fault[]> | undefined
  readonly lostAnswers: Set<number> | undefined
  readonly deliveryFaults: Map<number, Fault> | undefined
}

function processOf(index: number, faults: readonly Fault[]): Process {
  let stepFaults: Map<number, Fault[]> | undefined
  let lostAnswers: Set<number> | undefined
  let deliveryFaults: Map<number, Fault> | undefined
  for (const fault of faults) {
    if (!('process' in fault) || fault.process !== index) continue
    if ('step' in fault) {
      stepFaults ??= new Map()
      stepFaults.set(fault.step, [...(stepFaults.get(fault.step) ?? []), fault])
    } else if ('commit' in fault) {
      lostAnswers ??= new Set()
      lostAnswers.add(fault.commit)
    } else if ('delivery' in fault) {
      deliveryFaults ??= new Map()
      deliveryFaults.set(fault.delivery, fault)
    }
  }
  return {
    index,
    steps: 0,
    commits: 0,
    deliveries: 0,
    draws: 0,
    runs: 0,
    owedErrors: 0,
    current: undefined,
    stepFaults,
    lostAnswers,
    deliveryFaults,
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

function changeOf(table: string, key: string, row: unknown, names: UserNames): string {
  const [kind] = table.split(' ')
  if (kind === 'projections.applied_version')
    return row === undefined ? `forgets ${names.of(key)}` : `${names.of(key)} v${row}`
  if (kind === 'projections.checkpoint') {
    const { position, epoch, claimedBy } = row as { position: number; epoch: number; claimedBy: string | null }
    return `partition ${key} at ${position} (epoch ${epoch}, ${claimedBy})`
  }
  if (kind === 'projections.parked_user') return `${row === undefined ? 'releases' : 'parks'} ${names.of(key)}`
  if (kind === 'projections.dead_letter') return row === undefined ? `drops letter ${key}` : `keeps letter ${key}`
  return ''
}

/** What is done several times a second and changes nothing. */
const QUIET = new Set(['read', 'offsets', 'gaps', 'known version'])

const NONE: readonly Fault[] = []
/** 5 January 2026. */
const START_MS = Date.UTC(2026, 0, 5)
/** A tenth of what it is: less idle looking around, in the same order. */
const SESSION_TIMEOUT_MS = 600
const CONTROL_EVERY_MS = 1_000
const TIDY_EVERY_MS = 200
/** Of virtual time, for each of the two halves. */
const LONGEST_MS = 180_000
const MOST_STEPS = 50_000

const nothing = () => {}
const METRIC = { inc: nothing, set: nothing, observe: nothing, startTimer: () => nothing }
const NO_METRICS = {
  counter: () => METRIC,
  gauge: () => METRIC,
  histogram: () => METRIC,
  text: async () => '',
} as unknown as Metrics
const NO_LOGGER: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  fatal: nothing,
  child: () => NO_LOGGER,
  isLevelEnabled: () => false,
}
