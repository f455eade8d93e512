import type { ProjectedEvent } from '../../define-projection.js'
import type { RunningProjections } from '../../run-projections.js'
import type { Process } from './process.js'
import type { World } from './world.js'

/** The operator's hands: on a process that is there; what does not work is tried again at the end. */
export interface Operator {
  pause(process: Process): void
  resume(process: Process): void
  rebuild(process: Process): void
  retry(process: Process, userId: string): void
  /** The round: resumes what is paused, retries who is parked once everything is mended; again and again. */
  tidy(): void
}

/** An operator over the processes. */
export function operatorOf<E extends ProjectedEvent, Tx>(
  { subject, time, tables, tell, progress, cast }: World<E, Tx>,
  processes: readonly Process[],
): Operator {
  const { name } = subject.projection
  const [first] = processes as [Process]

  function operate(process: Process, what: string, act: (running: RunningProjections) => Promise<unknown>): void {
    const actor = process.current ?? processes.find(({ current }) => current !== undefined)?.current
    if (actor?.running === undefined) return
    const { running } = actor
    time.after(0, actor, () => {
      tell(() => `operator: ${what} at ${actor.label}`)
      act(running).catch((error: Error) => tell(() => `operator: ${what} fails: ${error.message}`))
    })
  }

  const operator: Operator = {
    pause: (process) => operate(process, 'pause', (running) => running.pause(name)),
    resume: (process) => operate(process, 'resume', (running) => running.resume(name)),
    rebuild: (process) => operate(process, 'rebuild', (running) => running.rebuild(name)),
    retry: (process, userId) =>
      operate(process, `retry ${cast.names.of(userId)}`, (running) =>
        running.deadLetters(name).retry(userId, 'operator'),
      ),
    tidy() {
      if (tables.projection.rows.get(name)?.state === 'paused') operator.resume(first)
      for (const [userId, { failures }] of tables.parked(name).rows) {
        // A gap heals by itself.
        if (!progress.isMended || failures.at(-1)?.code === 'ERR_PROJECTION_VERSION_GAP') continue
        operator.retry(first, userId)
      }
      time.after(TIDY_EVERY_MS, undefined, operator.tidy)
    },
  }
  return operator
}

/** Of virtual time, between two rounds of the operator. */
export const TIDY_EVERY_MS = 200
