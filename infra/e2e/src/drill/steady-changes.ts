import { randomUUID } from 'node:crypto'
import type { JournalEntry } from '../checker/history.js'
import { openLoop } from './open-loop.js'
import { outcomeOf, versionOf } from './traffic.js'

export interface SteadyChangesOptions {
  /** Base address of the user registry. */
  readonly registry: string
  /** Changed one after the other, round and round: so many that no two changes of one user overlap. */
  readonly userIds: readonly string[]
  /** Offered, whatever the answers take. */
  readonly perSecond: number
  /** Called with each change that was answered with success. */
  readonly onAnswered: (change: AnsweredChange) => void
}

export interface AnsweredChange {
  readonly userId: string
  readonly version: number
  /** By `performance.now()`. */
  readonly answeredAtMs: number
}

/** An open loop of single changes over HTTP, with a journal of what was answered. */
export interface SteadyChanges {
  readonly journal: readonly JournalEntry[]
  stop(): Promise<void>
}

export function startSteadyChanges(options: SteadyChangesOptions): SteadyChanges {
  const { registry, userIds, perSecond, onAnswered } = options
  const journal: JournalEntry[] = []

  async function change(number: number): Promise<void> {
    const userId = userIds[(number - 1) % userIds.length] as string
    const correlationId = randomUUID()
    const response = await fetch(`${registry}/v1/users/${userId}`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/merge-patch+json', 'x-correlation-id': correlationId },
      body: JSON.stringify({ attributes: { drill: number } }),
      signal: AbortSignal.timeout(10_000),
    }).catch(() => undefined)
    const answeredAtMs = performance.now()
    await response?.arrayBuffer().catch(() => {})
    const outcome = outcomeOf(response)
    if (response === undefined || outcome !== 'ok') {
      journal.push({ correlationId, userId, outcome })
      return
    }
    const version = versionOf(response)
    journal.push({ correlationId, userId, outcome, version })
    onAnswered({ userId, version, answeredAtMs })
  }

  const { stop } = openLoop(perSecond, change)
  return { journal, stop }
}
