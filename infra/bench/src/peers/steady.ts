import { sequenceOf } from '@rollcall/events'
import type { KafkaClient } from '@rollcall/kafka'
import { holdTransaction, sharedClockMs, until } from '../bench-tools.js'
import type { Child } from '../child.js'
import { median, quantile } from '../measure.js'
import { usageOf } from '../process-usage.js'
import type { Committed, PeerWriterCommands } from '../processes/peer-writer.js'
import type { Ground } from './ground.js'

export interface Latency {
  readonly p50: number
  readonly p99: number
  readonly perSecond: number
  /** Processor seconds per second while the load ran. */
  readonly relayCpu: number
  readonly postgresCpu: number
}

export interface SteadyOptions {
  readonly ground: Ground
  readonly kafka: KafkaClient
  readonly writer: Child<PeerWriterCommands>
  readonly postgresPid: number
  readonly rounds: number
  readonly warmUpSeconds: number
  readonly seconds: number
}

const PER_SECOND = 1_000

/** Commit answered to record read, alone and with a transaction held open that has written and reads an old snapshot. */
export async function steady(options: SteadyOptions): Promise<{ readonly free: Latency; readonly held: Latency }> {
  const { ground, kafka, writer, postgresPid, rounds } = options
  const { peer } = ground
  const readAtMs = new Map<string, number>()
  const consumer = kafka.consumer({
    groupId: `bench.${peer.topic}`,
    topic: peer.topic,
    assigned: async () => new Map((await kafka.offsets(peer.topic)).map(({ partition, high }) => [partition, high])),
    async batch({ records }) {
      const now = sharedClockMs()
      for (const { key, headers } of records) {
        const id = `${key}@${sequenceOf(headers)}`
        if (!readAtMs.has(id)) readAtMs.set(id, now)
      }
    },
  })
  await consumer.start()
  await peer.process.start()
  try {
    const once = async (seconds: number): Promise<Latency> => {
      readAtMs.clear()
      const before = usage()
      const startedAt = performance.now()
      const written = await writer.call('steady', { perSecond: PER_SECOND, seconds })
      const tookS = (performance.now() - startedAt) / 1_000
      const after = usage()
      ground.note(written.keys, written.versions)
      const last = written.keys.length
      await until(`${last} records of ${peer.topic} to be read`, () => readAtMs.size >= last, { timeoutMs: 60_000 })
      return {
        ...delaysOf(written, readAtMs),
        perSecond: written.perSecond,
        relayCpu: (after.relay - before.relay) / tookS,
        postgresCpu: (after.postgres - before.postgres) / tookS,
      }
    }
    const usage = () => ({
      relay: usageOf(peer.process.pid).cpuSeconds,
      postgres: usageOf(postgresPid).cpuSeconds,
    })
    const held = async (seconds: number) => {
      const release = await holdTransaction(peer.url)
      try {
        return await once(seconds)
      } finally {
        await release()
      }
    }
    await once(options.warmUpSeconds)
    const free: Latency[] = []
    const twin: Latency[] = []
    for (let round = 0; round < rounds; round++) {
      free.push(await once(options.seconds))
      twin.push(await held(options.seconds))
    }
    return { free: middle(free), held: middle(twin) }
  } finally {
    await consumer.close()
    await peer.process.stop()
  }
}

/** The first tenth is left out, as in the bench `latency`. */
function delaysOf({ keys, versions, committedAtMs }: Committed, readAtMs: ReadonlyMap<string, number>) {
  const delays: number[] = []
  for (let index = Math.floor(keys.length / 10); index < keys.length; index++) {
    const at = readAtMs.get(`${keys[index]}@${versions[index]}`)
    if (at === undefined) throw new Error(`${keys[index]}@${versions[index]} was never read`)
    delays.push(at - (committedAtMs[index] as number))
  }
  return { p50: quantile(delays, 0.5), p99: quantile(delays, 0.99) }
}

const middle = (all: readonly Latency[]): Latency => ({
  p50: median(all.map((one) => one.p50)),
  p99: median(all.map((one) => one.p99)),
  perSecond: median(all.map((one) => one.perSecond)),
  relayCpu: median(all.map((one) => one.relayCpu)),
  postgresCpu: median(all.map((one) => one.postgresCpu)),
})
