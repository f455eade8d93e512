import type { RunningProjections } from '../../run-projections.js'
import type { MemorySession } from './memory-database.js'
import type { Fault } from './schedule.js'
import type { Actor } from './virtual-time.js'

/** A simulated process over all its runs: what it has done so far, and what is to go wrong with it. */
export interface Process {
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

/** One run of a process, from its start to its end; what is open of it in the database. */
export interface ProcessRun extends Actor {
  readonly process: Process
  readonly sessions: Set<MemorySession>
  readonly committing: Set<MemorySession>
  running: RunningProjections | undefined
}

/** The process of that number before its first run, with its own share of the faults. */
export function processOf(index: number, faults: readonly Fault[]): Process {
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
