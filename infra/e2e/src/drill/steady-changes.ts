import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { JournalEntry } from '../checker/history.js'

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
  const running = new Set<Promise<void>>()
  let isStopped = false
  let begun = 0

  async function change(): Promise<void> {
    const userId = userIds[begun % userIds.length] as string
    const correlationId = randomUUID()
    begun++
    const response = await fetch(`${registry}/v1/users/${userId}`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/merge-patch+json', 'x-correlation-id': correlationId },
      body: JSON.stringify({ attributes: { drill: begun } }),
      signal: AbortSignal.timeout(10_000),
    }).catch(() => undefined)
    const answeredAtMs = performance.now()
    await response?.arrayBuffer().catch(() => {})
    if (!response?.ok) {
      const outcome = response === undefined || response.status >= 500 ? 'unknown' : 'fail'
      journal.push({ correlationId, userId, outcome })
      return
    }
    const version = Number(/\d+/.exec(response.headers.get('etag') ?? '')?.[0])
    journal.push({ correlationId, userId, outcome: 'ok', version })
    onAnswered({ userId, version, answeredAtMs })
  }

  const offering = (async () => {
    const startedAt = performance.now()
    while (!isStopped) {
      const due = ((performance.now() - startedAt) * perSecond) / 1_000
      while (begun < due) {
        const one = change().finally(() => running.delete(one))
        running.add(one)
      }
      await sleep(2)
    }
  })()

  return {
    journal,
    async stop() {
      isStopped = true
      await offering
      await Promise.all(running)
    },
  }
}
