import type { LatestState, ProjectedEvent } from '../define-projection.js'

/** Per user, the last state of these events; users in the order of their last event. */
export function latestStates<E extends ProjectedEvent>(events: readonly E[]): LatestState<E>[] {
  const latest = new Map<string, E>()
  for (const event of events) {
    // Deleted first, so that the map's order follows the last event and not the first.
    latest.delete(event.userId)
    latest.set(event.userId, event)
  }
  return Array.from(latest.values(), (event) => ({
    userId: event.userId,
    version: event.version,
    user: event.user,
    event,
    deleted: event.user.status === 'deleted',
  }))
}
