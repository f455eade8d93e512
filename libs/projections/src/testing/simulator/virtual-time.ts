import type { Clock } from '../../clock.js'

/** Time that passes only when nothing is left to do now; all that is to happen, in the order in which it will. */
export interface VirtualTime {
  /** Milliseconds since the epoch. */
  now(): number
  /** Does the work in `inMs`, unless the actor is dead by then; a frozen one does it when it thaws. */
  after(inMs: number, actor: Actor | undefined, work: () => void, signal?: AbortSignal): void
  /** Goes on until `isOver` answers true after a step. @throws what `work` threw; SimulationStuck */
  run(isOver: () => boolean, limits: RunLimits): Promise<void>
  /** The `Clock` of one actor. */
  clock(actor: Actor, random: () => number): Clock
}

export interface RunLimits {
  readonly untilMs: number
  readonly steps: number
  /** True while something is awaited that is not simulated: then time stands still. */
  readonly isOutside: () => boolean
}

/** One run of a process: once dead nothing of it ever goes on. */
export interface Actor {
  readonly label: string
  isAlive: boolean
  /** Until then it does nothing, and does not know. */
  frozenUntil: number
}

/** It did not end: by then nothing was left to do, or too much had been done. */
export class SimulationStuck extends Error {}

interface Task {
  readonly at: number
  readonly order: number
  readonly actor: Actor | undefined
  readonly work: () => void
  readonly signal: AbortSignal | undefined
}

export function virtualTime(startMs: number): VirtualTime {
  let now = startMs
  let order = 0
  const tasks: Task[] = []

  /** Takes the next task out; undefined when there is none. */
  function next(): Task | undefined {
    let best = -1
    let bestAt = Number.POSITIVE_INFINITY
    let bestOrder = 0
    for (let index = 0; index < tasks.length; index++) {
      const task = tasks[index] as Task
      const { actor } = task
      let { at } = task
      if (actor !== undefined) {
        if (!actor.isAlive) {
          const last = tasks.pop() as Task
          if (index < tasks.length) tasks[index--] = last
          continue
        }
        if (task.signal?.aborted) at = now
        if (actor.frozenUntil > at) at = actor.frozenUntil
      }
      if (at < bestAt || (at === bestAt && task.order < bestOrder)) {
        best = index
        bestAt = at
        bestOrder = task.order
      }
    }
    if (best === -1) return undefined
    const found = tasks[best] as Task
    const last = tasks.pop() as Task
    if (best < tasks.length) tasks[best] = last
    if (bestAt > now) now = bestAt
    return found
  }

  const after: VirtualTime['after'] = (inMs, actor, work, signal) => {
    tasks.push({ at: now + inMs, order: order++, actor, work, signal })
  }

  return {
    now: () => now,
    after,
    run: (isOver, { untilMs, steps, isOutside }) =>
      new Promise((resolve, reject) => {
        let done = 0
        const step = () => {
          try {
            if (isOver()) return resolve()
            if (isOutside()) return waitOutside()
            const task = next()
            if (task === undefined) throw new SimulationStuck('nothing is left to do')
            if (now > untilMs) throw new SimulationStuck(`it goes on for more than ${untilMs - startMs} ms`)
            if (++done > steps) throw new SimulationStuck(`it takes more than ${steps} steps`)
            outsideSince = 0
            task.work()
            // A tick queued from a microtask runs when no microtask is left: all that could go on has gone as far as it can.
            queueMicrotask(tick)
          } catch (error) {
            reject(error)
          }
        }
        let outsideSince = 0
        const waitOutside = () => {
          outsideSince ||= performance.now()
          if (performance.now() - outsideSince > LONGEST_OUTSIDE_MS) {
            throw new SimulationStuck(
              `a handler awaits something that is not simulated for more than ${LONGEST_OUTSIDE_MS} ms`,
            )
          }
          setImmediate(step)
        }
        const tick = () => process.nextTick(step)
        tick()
      }),
    clock: (actor, random) => ({
      now: () => now,
      wait: (ms, signal) => new Promise((resolve) => after(ms, actor, resolve, signal)),
      soon: (work) => after(0, actor, work),
      random,
    }),
  }
}

const LONGEST_OUTSIDE_MS = 5_000
