import { until } from '../bench-tools.js'
import { usageOf } from '../process-usage.js'
import type { Ground } from './ground.js'

export interface Drain {
  /** From the first record seen in the topic to the last. */
  readonly rowsPerSecond: number
  /** From the start of the process to its first record, with the processor time that took. */
  readonly startMs: number
  readonly startCpuSeconds: number
  readonly cpuSecondsPerMillion: number
  readonly peakRssMb: number
}

export const DRAIN_USERS = 20_000

/** Fills the outbox while the relay is down, then starts it. `hold` is called between the two, what it answers at the end. */
export async function drain(ground: Ground, rows: number, hold?: () => Promise<() => Promise<void>>): Promise<Drain> {
  const { peer, arrived } = ground
  const before = await arrived()
  await ground.append('drain', rows, { count: Math.min(DRAIN_USERS, rows), pick: 'turns' })
  await peer.pool.query('ANALYZE')
  const release = await hold?.()
  const startedAt = performance.now()
  await peer.process.start()
  const first = await seen(before + 1)
  const last = await seen(before + rows)
  await release?.()
  await peer.process.stop()
  const shipped = last.records - first.records
  return {
    rowsPerSecond: shipped / ((last.atMs - first.atMs) / 1_000),
    startMs: first.atMs - startedAt,
    startCpuSeconds: first.cpuSeconds,
    cpuSecondsPerMillion: ((last.cpuSeconds - first.cpuSeconds) / shipped) * 1_000_000,
    peakRssMb: last.peakRssMb,
  }

  async function seen(atLeast: number) {
    let records = 0
    const grown = async () => {
      records = await arrived()
      return records >= atLeast
    }
    await until(`${atLeast} records in ${peer.topic}`, grown, { everyMs: 10, timeoutMs: 180_000 })
    return { records, atMs: performance.now(), ...usageOf(peer.process.pid) }
  }
}
