import { channel } from 'node:diagnostics_channel'

const steps = channel('rollcall.step')

/**
 * Says that the code has come to a named point between two effects, such as `relay.sent`, on the diagnostics channel
 * `rollcall.step`. Costs one comparison while nobody listens. The chaos suite does, and ends the process there; nothing else
 * may depend on it.
 */
export function step(name: string): void {
  if (steps.hasSubscribers) steps.publish(name)
}
