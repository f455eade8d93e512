import { setTimeout as delay } from 'node:timers/promises'
import { people } from '@rollcall/directory'
import { type UserLifecycleEvent, userLifecycle } from '@rollcall/events'
import { userUpdated } from '@rollcall/events/testing'
import type { KafkaClient } from '@rollcall/kafka'
import { pgStore, type RebuildProgress, type RunningProjections, runProjections } from '@rollcall/projections'
import type { Bench } from '../bench.js'
import { benchTools, type readyCodec } from '../bench-tools.js'
import { interleave, median, pairedRatio, quantile } from '../measure.js'
import { openPeopleTopic, recordOf, VERSIONS } from '../people-topic.js'
import { rebuilt } from '../projection-ground.js'

const PER_SECOND = 200
const ALONE_MS = 8_000

/** A rebuild beside live changes: what they do to it, and what it does to them. */
export const shadow: Bench = {
  name: 'shadow',
  about: 'rebuild of the directory beside 200 changes/s, against the rebuild alone; the live delay with and without it',
  async run({ stack, rounds, scale, log }) {
    const topic = await openPeopleTopic(stack, { database: 'bench_shadow', users: Math.round(200_000 * scale), log })
    const { pool, kafka, codec, events, states } = topic
    const projections = runProjections([people], { kafka, database: pgStore(pool), codec, ...benchTools() })
    await projections.start()
    await projections.waitFor(states[0]?.userId ?? '', VERSIONS, 300_000)
    await until(projections, ({ lagRecords }) => lagRecords === 0)
    log('the live side has caught up')

    const changes = liveChanges(kafka, codec, projections, states)
    const proofs: RebuildProgress[] = []
    const rate = async () => {
      const startedAt = performance.now()
      proofs.push(await rebuilt(projections, 'people', { keepMs: 0 }))
      return events / ((performance.now() - startedAt) / 1_000)
    }
    const p99 = { alone: [] as number[], during: [] as number[] }
    const figures = await interleave(rounds, {
      alone: rate,
      async beside() {
        p99.alone.push(quantile(await changes.during(() => delay(ALONE_MS)), 0.99))
        let perSecond = 0
        const delays = await changes.during(async () => {
          perSecond = await rate()
        })
        p99.during.push(quantile(delays, 0.99))
        return perSecond
      },
    })
    await changes.close()
    await projections.close()
    await topic.close()

    for (const { proof, unproven } of proofs) {
      if (proof?.differing !== 0) throw new Error(`not proven equal: ${unproven ?? `${proof?.differing} rows differ`}`)
    }
    const rows = proofs.at(-1)?.proof?.rows ?? 0
    const proofMs = median(proofs.map(({ proof }) => proof?.tookMs ?? Number.NaN))
    log(`each rebuild proven equal: ${rows} rows compared, median ${proofMs.toFixed(0)} ms`)
    const ratio = pairedRatio(figures.beside, figures.alone)
    const slower = pairedRatio(p99.during, p99.alone)
    return [
      {
        bench: 'shadow rate',
        value: median(figures.beside),
        ceiling: median(figures.alone),
        ratio,
        unit: 'events/s',
        against: 'the rebuild alone, proof and cut-over included in both',
        ask: { text: '>= 0.6', holds: ratio >= 0.6 },
      },
      {
        bench: 'shadow live p99',
        value: median(p99.during),
        ceiling: median(p99.alone),
        ratio: slower,
        unit: 'ms',
        against: 'the same changes without a rebuild',
        ask: { text: '<= 2x', holds: slower <= 2 },
      },
    ]
  },
}

type Status = Awaited<ReturnType<RunningProjections['status']>>[number]

async function until(projections: RunningProjections, holds: (status: Status) => boolean): Promise<Status> {
  for (;;) {
    const [status] = await projections.status()
    if (status !== undefined && holds(status)) return status
    await delay(50)
  }
}

type State = Parameters<typeof userUpdated>[0]

/** Changes at an even pace, each timed from its sending to its being applied; answers their milliseconds. */
function liveChanges(
  kafka: KafkaClient,
  codec: Awaited<ReturnType<typeof readyCodec>>,
  projections: RunningProjections,
  given: readonly State[],
) {
  const producer = kafka.producer()
  const states = [...given]
  let sent = 0

  async function change(): Promise<number> {
    // No user twice within five seconds: each change is waited for by its own version.
    const at = sent++ % states.length
    const state = userUpdated(states[at] as State)
    states[at] = state
    const event = state as UserLifecycleEvent
    const startedAt = performance.now()
    await producer.send(userLifecycle.name, [recordOf(event, codec)])
    await projections.waitFor(event.userId, event.version, 60_000)
    return performance.now() - startedAt
  }

  return {
    async during(work: () => Promise<unknown>): Promise<number[]> {
      let isOver = false
      const working = work().finally(() => {
        isOver = true
      })
      const changes: Promise<number>[] = []
      const startedAt = performance.now()
      while (!isOver) {
        const due = ((performance.now() - startedAt) / 1_000) * PER_SECOND
        while (changes.length < due) {
          const one = change()
          one.catch(() => {})
          changes.push(one)
        }
        await delay(5)
      }
      await working
      return Promise.all(changes)
    },
    close: () => producer.close(),
  }
}
