import type { Bench } from '../bench.js'
import { holdTransaction, sharedClockMs } from '../bench-tools.js'
import { median, quantile } from '../measure.js'
import { openPipeline, type Pipeline } from '../pipeline.js'
import type { ChangeLog } from '../processes/writer.js'

const PER_SECOND = 1_000
const USERS = 5_000

export const latency: Bench = {
  name: 'latency',
  about: 'commit answered to handler called at 1,000 changes/s, without and with a writing transaction held open',
  async run({ stack, rounds, scale, log }) {
    const seenAtMs = new Map<string, number>()
    const pipeline = await openPipeline(stack, {
      connections: 16,
      handled: ({ userId, version }) => void seenAtMs.set(`${userId}@${version}`, sharedClockMs()),
    })
    try {
      log(`creating ${USERS} users`)
      await pipeline.writer.call('create', USERS)
      await pipeline.caughtUp()
      const once = async (seconds: number) => {
        seenAtMs.clear()
        const load = { perSecond: PER_SECOND, seconds, writers: 16, pick: 'turns', through: 'statement' } as const
        const written = await pipeline.writer.call('change', load)
        await pipeline.caughtUp()
        return figures(written, seenAtMs)
      }
      const held = async (seconds: number) => {
        const release = await holdTransaction(pipeline.registryUrl)
        try {
          return await once(seconds)
        } finally {
          await release()
        }
      }
      // The just-in-time compilers of five processes have to get warm: rounds after 2 s still halved from one to the next.
      await once(15 * scale)
      const free: Figures[] = []
      const twin: Figures[] = []
      for (let round = 0; round < rounds; round++) {
        const turns = [async () => free.push(await once(8 * scale)), async () => twin.push(await held(8 * scale))]
        for (const take of round % 2 === 0 ? turns : turns.reverse()) await take()
        log(`p50/p99 ms ${show(free.at(-1))}, held ${show(twin.at(-1))}`)
      }
      const p50 = median(free.map((one) => one.p50))
      const p99 = median(free.map((one) => one.p99))
      const twinP99 = median(twin.map((one) => one.p99))
      const ratio = median(twin.map((one, round) => one.p99 / (free[round]?.p99 ?? Number.NaN)))
      const rate = median(free.map((one) => one.perSecond))
      const against = `absolute, at ${Math.round(rate)} changes/s`
      return [
        { bench: 'latency p50', value: p50, unit: 'ms', against, ask: { text: '<= 5 ms', holds: p50 <= 5 } },
        { bench: 'latency p99', value: p99, unit: 'ms', against, ask: { text: '<= 25 ms', holds: p99 <= 25 } },
        {
          bench: 'latency p99 held',
          value: twinP99,
          ceiling: p99,
          ratio,
          unit: 'ms',
          against: 'the same without a writing transaction held open',
          ask: { text: '<= 1.2', holds: ratio <= 1.2 },
        },
      ]
    } finally {
      await (pipeline satisfies Pipeline).close()
    }
  },
}

interface Figures {
  readonly p50: number
  readonly p99: number
  readonly perSecond: number
}

/** The first tenth is left out: it warms caches up. */
function figures(
  { userIds, versions, committedAtMs, perSecond }: ChangeLog,
  seen: ReadonlyMap<string, number>,
): Figures {
  const first = Math.floor(userIds.length / 10)
  const delays: number[] = []
  for (let index = first; index < userIds.length; index++) {
    const seenAtMs = seen.get(`${userIds[index]}@${versions[index]}`)
    if (seenAtMs === undefined) throw new Error('a change never reached the handler')
    delays.push(seenAtMs - (committedAtMs[index] as number))
  }
  return { p50: quantile(delays, 0.5), p99: quantile(delays, 0.99), perSecond }
}

const show = (one: Figures | undefined) => `${one?.p50.toFixed(1)}/${one?.p99.toFixed(1)}`
