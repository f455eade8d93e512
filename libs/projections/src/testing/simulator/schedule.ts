import { type Chance, chance } from './chance.js'

/** Everything that happens in one simulation, as data: who the users are, what is written when, and what goes wrong. */
export interface Schedule {
  readonly seed: number
  readonly processes: number
  readonly partitions: number
  /** Each step takes 1 ms, instead of a time drawn from the seed. */
  readonly isCalm: boolean
  /** Most records in one batch. */
  readonly batch: number
  readonly writes: readonly Write[]
  readonly faults: readonly Fault[]
}

/** Version `version` of the user enters the topic. */
export interface Write {
  readonly user: number
  readonly version: number
  readonly atMs: number
}

/**
 * One thing that goes wrong. A process is named by its number; `step`, `commit` and `delivery` count what it does over all its
 * runs, from 1, so that leaving something else out leaves the fault where it is.
 */
export type Fault =
  /** The process dies before its step, and is started again. */
  | { readonly kind: 'crash'; readonly process: number; readonly step: number; readonly downMs: number }
  /** The process ends in good order, and is started again. */
  | { readonly kind: 'restart'; readonly process: number; readonly atMs: number; readonly downMs: number }
  /** The process stands still; the group gives its partitions away when that takes long, and it does not know. */
  | { readonly kind: 'stall'; readonly process: number; readonly step: number; readonly forMs: number }
  /** The group gives its partitions away while it goes on: a zombie, until it hears of it. */
  | { readonly kind: 'zombie'; readonly process: number; readonly step: number; readonly unawareMs: number }
  | { readonly kind: 'rebalance'; readonly atMs: number }
  /** The database fails a statement in a way that passes; the transaction around it is lost. */
  | { readonly kind: 'database error'; readonly process: number; readonly step: number }
  /** The commit happens, and its answer is an error. */
  | { readonly kind: 'lost commit answer'; readonly process: number; readonly commit: number }
  /** A statement takes long. */
  | { readonly kind: 'slow step'; readonly process: number; readonly step: number; readonly forMs: number }
  /** A batch begins earlier than asked for. */
  | { readonly kind: 'redelivery'; readonly process: number; readonly delivery: number; readonly back: number }
  /** A batch begins later than asked for. */
  | { readonly kind: 'skipped records'; readonly process: number; readonly delivery: number; readonly ahead: number }
  /** The event enters the topic once more. */
  | { readonly kind: 'duplicate'; readonly user: number; readonly version: number; readonly atMs: number }
  /** The event never enters the topic; who asks the registry for it gets it. */
  | { readonly kind: 'gap'; readonly user: number; readonly version: number }
  /** The handler fails on the event until it is mended. */
  | { readonly kind: 'poison'; readonly user: number; readonly version: number }
  /** The record cannot be decoded until the decoder is mended. */
  | { readonly kind: 'unreadable'; readonly user: number; readonly version: number }
  /** The handler fails on the event a few times, and says that trying again may help. */
  | { readonly kind: 'hiccup'; readonly user: number; readonly version: number; readonly times: number }
  /** Offsets without a record before the event, as compaction and transactions leave them. */
  | { readonly kind: 'offset hole'; readonly user: number; readonly version: number; readonly size: number }
  /** An operator retries the user, whether it is parked or not. */
  | { readonly kind: 'retry'; readonly process: number; readonly user: number; readonly atMs: number }
  | { readonly kind: 'pause'; readonly process: number; readonly atMs: number; readonly forMs: number }
  /** The read model is emptied and everything is applied again, while the rest goes on. */
  | { readonly kind: 'rebuild'; readonly process: number; readonly atMs: number }

export type FaultKind = Fault['kind']

export const FAULT_KINDS = [
  'crash',
  'restart',
  'stall',
  'zombie',
  'rebalance',
  'database error',
  'lost commit answer',
  'slow step',
  'redelivery',
  'skipped records',
  'duplicate',
  'gap',
  'poison',
  'unreadable',
  'hiccup',
  'offset hole',
  'retry',
  'pause',
  'rebuild',
] as const satisfies readonly FaultKind[]

export interface ScheduleShape {
  /** Most users. */
  readonly users: number
  /** Most events of one user. */
  readonly events: number
  /** Most processes. */
  readonly processes: number
  readonly faults: readonly FaultKind[]
}

/** The schedule of a seed: equal seeds and shapes, equal schedules. */
export function scheduleOf(seed: number, shape: ScheduleShape): Schedule {
  const draw = chance(seed)
  const processes = draw.oneIn(8) ? 1 : 2 + draw.below(Math.max(1, shape.processes - 1))
  const users = 2 + draw.below(Math.max(1, shape.users - 1))
  const lengths = Array.from({ length: users }, () => 1 + draw.below(shape.events))
  const writes = interleaved(lengths, draw)
  const faults: Fault[] = []
  const count = shape.faults.length === 0 ? 0 : 3 + draw.below(5)
  const context = {
    draw,
    processes: Math.min(processes, shape.processes),
    users,
    lengths,
    lastMs: writes.at(-1)?.atMs ?? 0,
  }
  for (let index = 0; index < count; index++) faults.push(faultOf(draw.pick(shape.faults), context))
  return {
    seed,
    processes: context.processes,
    partitions: 1 + draw.below(3),
    isCalm: false,
    batch: draw.pick([1, 2, 3, 500, 500]),
    writes,
    faults: consistent(faults),
  }
}

/** Each user's events in order, the users among each other as chance has it; some of it is there before anybody reads. */
function interleaved(lengths: readonly number[], draw: Chance): Write[] {
  const next = lengths.map(() => 1)
  const open = lengths.map((_, user) => user)
  const writes: Write[] = []
  let atMs = draw.pick([0, 0, 20])
  const paceMs = draw.pick([0, 4, 20, 60])
  while (open.length > 0) {
    const user = draw.pick(open)
    const version = next[user] as number
    writes.push({ user, version, atMs })
    next[user] = version + 1
    if (version === lengths[user]) open.splice(open.indexOf(user), 1)
    if (paceMs > 0) atMs += draw.below(paceMs)
  }
  return writes
}

interface FaultContext {
  readonly draw: Chance
  readonly processes: number
  readonly users: number
  readonly lengths: readonly number[]
  readonly lastMs: number
}

function faultOf(kind: FaultKind, { draw, processes, users, lengths, lastMs }: FaultContext): Fault {
  const process = draw.below(processes)
  // Most of what a process does, it does in its first hundred steps.
  const step = 1 + draw.below(draw.oneIn(2) ? 25 : 90)
  const atMs = draw.below(lastMs + 150)
  const user = draw.below(users)
  const version = 1 + draw.below(lengths[user] as number)
  switch (kind) {
    case 'crash':
      return { kind, process, step, downMs: draw.pick([0, 5, 50, 400]) }
    case 'restart':
      return { kind, process, atMs, downMs: draw.pick([0, 20, 200]) }
    case 'stall':
      return { kind, process, step, forMs: draw.pick([30, 200, 700, 900]) }
    case 'zombie':
      return { kind, process, step, unawareMs: draw.pick([10, 60, 400]) }
    case 'rebalance':
      return { kind, atMs }
    case 'database error':
      return { kind, process, step }
    case 'lost commit answer':
      return { kind, process, commit: 1 + draw.below(8) }
    case 'slow step':
      return { kind, process, step, forMs: draw.pick([20, 100, 800]) }
    case 'redelivery':
      return { kind, process, delivery: 1 + draw.below(8), back: 1 + draw.below(6) }
    case 'skipped records':
      return { kind, process, delivery: 1 + draw.below(8), ahead: 1 + draw.below(3) }
    case 'duplicate':
      return { kind, user, version, atMs: lastMs + draw.below(100) }
    case 'gap':
    case 'poison':
    case 'unreadable':
      return { kind, user, version }
    case 'hiccup':
      return { kind, user, version, times: 1 + draw.below(3) }
    case 'offset hole':
      return { kind, user, version, size: 1 + draw.below(3) }
    case 'retry':
      return { kind, process, user, atMs }
    case 'pause':
      return { kind, process, atMs, forMs: draw.pick([10, 100, 700]) }
    case 'rebuild':
      return { kind, process, atMs }
  }
}

/**
 * An event that is missing from the topic cannot be unreadable there too. And a broker passes records over once at most: to
 * whoever asks again, the same hole a second time is one.
 */
function consistent(faults: readonly Fault[]): Fault[] {
  const gaps = new Set(faults.flatMap((fault) => (fault.kind === 'gap' ? [`${fault.user}@${fault.version}`] : [])))
  const skipped = faults.find(({ kind }) => kind === 'skipped records')
  return faults.filter((fault) => {
    if (fault.kind === 'skipped records') return fault === skipped
    if (fault.kind !== 'unreadable' && fault.kind !== 'duplicate') return true
    return !gaps.has(`${fault.user}@${fault.version}`)
  })
}
