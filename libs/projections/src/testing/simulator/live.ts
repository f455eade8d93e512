import type { ProjectionStore } from '../../store/projection-store.js'
import { Blocked, type MemoryDatabase, type MemorySession } from './memory-database.js'
import { type MemoryLog, memoryLog } from './memory-log.js'
import { memoryStore, type Step } from './memory-store.js'
import type { MemoryTables } from './memory-tables.js'

/** The store in memory without a simulator: each statement is run when it is asked for, and waits where it must. */
export function liveStore<Tx>(database: MemoryDatabase, tx: (tables: MemoryTables) => Tx): ProjectionStore<Tx> {
  return memoryStore({ database, now: Date.now, step: stepNow, tx })
}

export const stepNow: Step = async (_, session, execute) => {
  for (;;) {
    try {
      return execute()
    } catch (error) {
      if (!(error instanceof Blocked)) {
        if (session?.state === 'open') session.state = 'failed'
        throw error
      }
      await ended(session as MemorySession, error.holder)
    }
  }
}

function ended(session: MemorySession, holder: MemorySession): Promise<void> {
  session.waitsFor = holder
  return new Promise((resolve) => {
    holder.waiters.push(() => {
      session.waitsFor = undefined
      resolve()
    })
  })
}

/** The log in memory without a simulator: what is to happen, happens on the next turn of the event loop. */
export const liveLog = (topic: string, partitions: number): MemoryLog =>
  memoryLog(topic, partitions, {
    after: (inMs, actor, work) => void setTimeout(() => actor?.isAlive !== false && work(), inMs),
    step: async (_, __, execute) => execute(),
    latency: () => 0,
    below: () => 0,
    delivery: (_, asked) => asked,
  })
