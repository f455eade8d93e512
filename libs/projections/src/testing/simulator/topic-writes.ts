import type { ProjectedEvent } from '../../define-projection.js'
import type { EventFaults } from './event-faults.js'
import type { MemoryLog } from './memory-log.js'
import { showEvent } from './show.js'
import type { World } from './world.js'

/** What enters the topic. */
export interface TopicWrites {
  /** Where each user must arrive: at the last version that entered the topic. */
  readonly targets: ReadonlyMap<string, number>
  append(user: number, version: number): void
  /** Writes what the schedule has, each at its time. */
  plan(): void
}

/** The writes of the schedule, to the log. */
export function topicWrites<E extends ProjectedEvent, Tx>(
  { subject, schedule, cast, time, isTraced, tell, later, progress }: World<E, Tx>,
  faults: EventFaults<E>,
  log: MemoryLog,
): TopicWrites {
  const targets = new Map<string, number>()

  function append(user: number, version: number): void {
    const event = cast.eventOf(user, version)
    const record = { ...subject.recordOf(event), timestampMs: time.now() }
    const partition = user % schedule.partitions
    const offset = log.append(partition, record, { holeBefore: faults.holeBefore(event) })
    progress.isChanged = true
    if (isTraced) tell(() => `topic ${partition}:${offset} is ${showEvent(event, cast.names)}`)
  }

  return {
    targets,
    append,
    plan() {
      for (const { user, version, atMs } of schedule.writes) {
        const event = cast.eventOf(user, version)
        if (faults.isGone(event)) continue
        targets.set(event.userId, Math.max(targets.get(event.userId) ?? 0, version))
        if (atMs === 0) append(user, version)
        else later(atMs, () => append(user, version))
      }
    },
  }
}
