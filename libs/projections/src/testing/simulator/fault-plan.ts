import type { ProjectedEvent } from '../../define-projection.js'
import type { Operator } from './operator.js'
import type { Process } from './process.js'
import type { ProcessHost } from './process-host.js'
import type { Fault } from './schedule.js'
import { showFault } from './show.js'
import type { TopicWrites } from './topic-writes.js'
import type { World } from './world.js'

/** Plans the faults that have a time of their own; the others are met where they happen. */
export function planFaults<E extends ProjectedEvent, Tx>(
  { schedule, cast, tell, later }: World<E, Tx>,
  { host, operator, topic }: { readonly host: ProcessHost; readonly operator: Operator; readonly topic: TopicWrites },
): void {
  for (const fault of schedule.faults) plan(fault)

  function plan(fault: Fault): void {
    if ('user' in fault && !cast.has(fault.user)) return
    const process = host.processes['process' in fault ? fault.process : 0]
    if (process !== undefined) planAt(fault, process)
  }

  function planAt(fault: Fault, process: Process): void {
    switch (fault.kind) {
      case 'duplicate':
        later(fault.atMs, () => topic.append(fault.user, fault.version))
        break
      case 'rebalance':
        later(fault.atMs, () => {
          tell(() => `!! ${showFault(fault)}`)
          host.log.rebalance()
        })
        break
      case 'retry':
        later(fault.atMs, () => operator.retry(process, cast.idOf(fault.user)))
        break
      case 'pause':
        later(fault.atMs, () => operator.pause(process))
        later(fault.atMs + fault.forMs, () => operator.resume(process))
        break
      case 'rebuild':
        later(fault.atMs, () => operator.rebuild(process))
        break
      case 'restart':
        later(fault.atMs, () => {
          if (process.current?.running === undefined) return
          tell(() => `!! ${showFault(fault)}`)
          host.restart(process.current, fault.downMs)
        })
        break
      default:
    }
  }
}
