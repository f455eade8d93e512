import type { BenchStack } from './bench-stack.js'
import { holdTransaction, sharedClockMs } from './bench-tools.js'
import { quantile } from './measure.js'
import { openPipeline } from './pipeline.js'
import type { ChangeLog } from './processes/writer.js'

const PER_SECOND = 1_000
const USERS = 5_000

/** Commit answered to handler called, at 1,000 changes/s, through a pipeline with one projection. */
export interface Latency {
  once(seconds: number): Promise<LatencyFigures>
  /** The same with a writing transaction held open. */
  held(seconds: number): Promise<LatencyFigures>
  close(): Promise<void>
}

export interface LatencyFigures {
  readonly p50: number
  readonly p99: number
  readonly perSecond: number
}

export async function openLatency(stack: BenchStack): Promise<Latency> {
  const seenAtMs = new Map<string, number>()
  const pipeline = await openPipeline(stack, {
    connections: 16,
    handled: ({ userId, version }) => void seenAtMs.set(`${userId}@${version}`, sharedClockMs()),
  })
  await pipeline.writer.call('create', USERS)
  await pipeline.caughtUp()
  const once = async (seconds: number) => {
    seenAtMs.clear()
    const load = { perSecond: PER_SECOND, seconds, writers: 16, pick: 'turns', through: 'statement' } as const
    const written = await pipeline.writer.call('change', load)
    await pipeline.caughtUp()
    return figures(written, seenAtMs)
  }
  return {
    once,
    async held(seconds) {
      const release = await holdTransaction(pipeline.registryUrl)
      try {
        return await once(seconds)
      } finally {
        await release()
      }
    },
    close: () => pipeline.close(),
  }
}

/** The first tenth is left out: it warms caches up. */
function figures(
  { userIds, versions, committedAtMs, perSecond }: ChangeLog,
  seen: ReadonlyMap<string, number>,
): LatencyFigures {
  const first = Math.floor(userIds.length / 10)
  const delays: number[] = []
  for (let index = first; index < userIds.length; index++) {
    const seenAtMs = seen.get(`${userIds[index]}@${versions[index]}`)
    if (seenAtMs === undefined) throw new Error('a change never reached the handler')
    delays.push(seenAtMs - (committedAtMs[index] as number))
  }
  return { p50: quantile(delays, 0.5), p99: quantile(delays, 0.99), perSecond }
}
