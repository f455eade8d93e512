import type { Bench } from '../bench.js'
import { type LatencyFigures, openLatency } from '../latency-of-changes.js'
import { median } from '../measure.js'

export const latency: Bench = {
  name: 'latency',
  about: 'commit answered to handler called at 1,000 changes/s, without and with a writing transaction held open',
  async run({ stack, rounds, scale, log }) {
    const latency = await openLatency(stack)
    try {
      // The just-in-time compilers of five processes have to get warm: rounds after 2 s still halved from one to the next.
      await latency.once(15 * scale)
      const free: LatencyFigures[] = []
      const twin: LatencyFigures[] = []
      for (let round = 0; round < rounds; round++) {
        const turns = [
          async () => free.push(await latency.once(8 * scale)),
          async () => twin.push(await latency.held(8 * scale)),
        ]
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
      await latency.close()
    }
  },
}

const show = (one: LatencyFigures | undefined) => `${one?.p50.toFixed(1)}/${one?.p99.toFixed(1)}`
