import { sequenceOf, userLifecycle } from '@rollcall/events'
import type { KafkaClient } from '@rollcall/kafka'
import type { Bench } from '../bench.js'
import { sharedClockMs } from '../bench-tools.js'
import { median } from '../measure.js'
import { openPipeline } from '../pipeline.js'

const OFFERED = 2_800
const KEPT_UP = 0.98

export const hotKeys: Bench = {
  name: 'hot-keys',
  about: '24 writers on 20 users, 2,800 changes/s offered, to the topic',
  async run({ stack, rounds, scale, log }) {
    const pipeline = await openPipeline(stack, { connections: 24 })
    const offer = async (through: 'statement' | 'commands') => {
      const load = { perSecond: OFFERED, seconds: 8 * scale, writers: 24, pick: 'random', through } as const
      // Just-in-time compilers warm up for longer than one round.
      await pipeline.writer.call('change', load)
      const reached: number[] = []
      const behindS: number[] = []
      for (let round = 0; round < rounds; round++) {
        const { perSecond, endedAtMs } = await pipeline.writer.call('change', load)
        await pipeline.caughtUp()
        reached.push(perSecond)
        behindS.push((sharedClockMs() - endedAtMs) / 1_000)
        log(`${through}: ${perSecond.toFixed(0)}/s, caught up ${behindS.at(-1)?.toFixed(2)} s after the last`)
      }
      return { value: median(reached), late: median(behindS) }
    }
    try {
      await pipeline.writer.call('create', 20)
      const statement = await offer('statement')
      const commands = await offer('commands')
      const { records, inversions, repeats } = await readBack(pipeline.kafka)
      log(`${records} records read back: ${inversions} inversions or gaps, ${repeats} repeats`)
      return [
        {
          bench: 'hot-keys',
          value: statement.value,
          ceiling: OFFERED,
          ratio: statement.value / OFFERED,
          unit: 'changes/s',
          against: `offered rate; caught up ${statement.late.toFixed(2)} s after the last commit`,
          ask: { text: 'kept up, at once', holds: statement.value >= OFFERED * KEPT_UP && statement.late <= 1 },
        },
        {
          bench: 'hot-keys.commands',
          value: commands.value,
          ceiling: OFFERED,
          ratio: commands.value / OFFERED,
          unit: 'changes/s',
          against: `the same, with all a request costs behind HTTP; caught up ${commands.late.toFixed(2)} s after`,
        },
        {
          bench: 'hot-keys order',
          value: inversions,
          unit: 'inversions',
          against: `${records} records read back from the topic, ${repeats} repeats`,
          ask: { text: '0', holds: inversions === 0 },
        },
      ]
    } finally {
      await pipeline.close()
    }
  },
}

/** Every version must follow its predecessor; one that was there before is a repeat, which consumers skip. */
async function readBack(kafka: KafkaClient) {
  const last = new Map<string, number>()
  let records = 0
  let inversions = 0
  let repeats = 0
  await kafka.readTopic({
    topic: userLifecycle.name,
    onBatch(slice) {
      for (const { key, headers } of slice.records) {
        records++
        const user = key?.toString() ?? ''
        const version = sequenceOf(headers) ?? Number.NaN
        const known = last.get(user) ?? 0
        if (version === known + 1) last.set(user, version)
        else if (version <= known) repeats++
        else inversions++
      }
    },
  })
  return { records, inversions, repeats }
}
