import type { Schedule } from './schedule.js'
import { HICCUP, POISON, UNREADABLE } from './subject.js'
import type { Cast } from './world.js'

/** What goes wrong with single events, wherever and whenever they come. */
export interface EventFaults<E> {
  /** Never enters the topic. */
  isGone(event: E): boolean
  /** Offsets without a record before it. */
  holeBefore(event: E): number
  /** @throws what the decoder throws */
  beforeDecode(event: E): void
  /** @throws what the handler throws */
  beforeHandler(event: E): void
}

/** The faults of the schedule that name an event. */
export function eventFaultsOf<E>({ faults }: Schedule, cast: Cast<E>): EventFaults<E> {
  const unreadable = new Set<E>()
  const poisoned = new Set<E>()
  const hiccups = new Map<E, number>()
  const holes = new Map<E, number>()
  const gone = new Set<E>()
  for (const fault of faults) {
    if (!('user' in fault && 'version' in fault) || !cast.has(fault.user)) continue
    const event = cast.eventOf(fault.user, fault.version)
    if (fault.kind === 'gap') gone.add(event)
    if (fault.kind === 'poison') poisoned.add(event)
    if (fault.kind === 'unreadable') unreadable.add(event)
    if (fault.kind === 'hiccup') hiccups.set(event, fault.times)
    if (fault.kind === 'offset hole') holes.set(event, fault.size)
  }
  return {
    isGone: (event) => gone.has(event),
    holeBefore: (event) => holes.get(event) ?? 0,
    beforeDecode(event) {
      if (unreadable.has(event)) throw UNREADABLE
    },
    beforeHandler(event) {
      const hiccup = hiccups.get(event) ?? 0
      if (hiccup > 0) {
        hiccups.set(event, hiccup - 1)
        throw HICCUP
      }
      if (poisoned.has(event)) throw POISON
    },
  }
}
