import type { ProjectedEvent } from '../../define-projection.js'
import { show } from './difference.js'
import type { Fault, Schedule } from './schedule.js'

/** Users are shown as u1, u2 …: ids say nothing, and numbers are those of the schedule. */
export interface UserNames {
  of(userId: string): string
}

export const nameOfUser = (user: number) => `u${user + 1}`
export const nameOfProcess = (process: number) => `p${process + 1}`

export const showEvent = ({ userId, version, type }: ProjectedEvent, names: UserNames) =>
  `${names.of(userId)} v${version} ${type}`

export const showRow = (row: unknown) => show(row)

/** A schedule in a few lines: what is written, what goes wrong. */
export function showSchedule(
  { processes, partitions, isCalm, batch, writes, faults }: Schedule,
  typeOf: (user: number, version: number) => string,
): string {
  const byUser = new Map<number, string[]>()
  for (const { user, version, atMs } of writes) {
    const at = atMs > 0 ? ` (${atMs} ms)` : ''
    byUser.set(user, [...(byUser.get(user) ?? []), `v${version} ${typeOf(user, version)}${at}`])
  }
  const lines = [...byUser].map(([user, events]) => `${nameOfUser(user)}: ${events.join(', ')}`)
  const size = `${processes} process${processes > 1 ? 'es' : ''}, ${partitions} partition${partitions > 1 ? 's' : ''}`
  return [
    `${size}, batches of ${batch}${isCalm ? ', every step 1 ms' : ''}`,
    ...lines,
    ...faults.map((fault) => `fault: ${showFault(fault)}`),
  ].join('\n')
}

export function showFault(fault: Fault): string {
  switch (fault.kind) {
    case 'crash':
      return `${nameOfProcess(fault.process)} crashes before its step ${fault.step}, and is back ${fault.downMs} ms later`
    case 'restart':
      return `${nameOfProcess(fault.process)} is restarted at ${fault.atMs} ms, away for ${fault.downMs} ms`
    case 'stall':
      return `${nameOfProcess(fault.process)} stands still for ${fault.forMs} ms at its step ${fault.step}`
    case 'zombie':
      return `${nameOfProcess(fault.process)} loses its partitions at its step ${fault.step}, and hears of it ${fault.unawareMs} ms later`
    case 'rebalance':
      return `the group rebalances at ${fault.atMs} ms`
    case 'database error':
      return `the database fails ${nameOfProcess(fault.process)} at its step ${fault.step}`
    case 'lost commit answer':
      return `${nameOfProcess(fault.process)} gets an error for its commit ${fault.commit}, which happened`
    case 'slow step':
      return `step ${fault.step} of ${nameOfProcess(fault.process)} takes ${fault.forMs} ms`
    case 'redelivery':
      return `delivery ${fault.delivery} to ${nameOfProcess(fault.process)} begins ${fault.back} records too early`
    case 'skipped records':
      return `delivery ${fault.delivery} to ${nameOfProcess(fault.process)} begins ${fault.ahead} records too late`
    case 'duplicate':
      return `${nameOfUser(fault.user)} v${fault.version} is written once more at ${fault.atMs} ms`
    case 'gap':
      return `${nameOfUser(fault.user)} v${fault.version} never enters the topic`
    case 'poison':
      return `the handler fails on ${nameOfUser(fault.user)} v${fault.version} until it is mended`
    case 'unreadable':
      return `${nameOfUser(fault.user)} v${fault.version} cannot be decoded until that is mended`
    case 'hiccup':
      return `the handler fails ${fault.times} times on ${nameOfUser(fault.user)} v${fault.version}, retryably`
    case 'offset hole':
      return `${fault.size} offsets without a record before ${nameOfUser(fault.user)} v${fault.version}`
    case 'retry':
      return `an operator retries ${nameOfUser(fault.user)} at ${fault.atMs} ms, at ${nameOfProcess(fault.process)}`
    case 'pause':
      return `an operator pauses at ${fault.atMs} ms for ${fault.forMs} ms`
    case 'rebuild':
      return `an operator rebuilds at ${fault.atMs} ms`
  }
}
