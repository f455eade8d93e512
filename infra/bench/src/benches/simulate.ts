import { people } from '@rollcall/directory'
import { simulate as simulateProjection } from '@rollcall/projections/testing'
import type { Bench } from '../bench.js'
import { median } from '../measure.js'

const SEEDS = 8_000
const WARM_UP = 3_000

export const simulate: Bench = {
  name: 'simulate',
  about: "seeds of the simulator a second, the directory's people, one thread",
  async run({ rounds, scale, log }) {
    const seeds = Math.max(100, Math.round(SEEDS * scale))
    await simulateProjection(people, { seeds: Math.max(100, Math.round(WARM_UP * scale)), from: 10_000_000 })
    const rates: number[] = []
    let steps = 0
    let faults = 0
    for (let round = 0; round < rounds; round++) {
      const startedAt = performance.now()
      const simulation = await simulateProjection(people, { seeds, from: 1 + round * seeds })
      if (simulation.failure !== undefined) throw new Error(simulation.failure.text)
      rates.push((seeds * 1_000) / (performance.now() - startedAt))
      steps += simulation.steps
      faults += simulation.faults
      log(`${Math.round(rates.at(-1) ?? 0)} seeds/s`)
    }
    const value = median(rates)
    const perSeed = (count: number) => (count / seeds / rounds).toFixed(1)
    return [
      {
        bench: 'simulate',
        value,
        unit: 'seeds/s',
        ask: { text: '>= 2,000', holds: value >= 2_000 },
        note: `${perSeed(steps)} steps and ${perSeed(faults)} faults a seed`,
      },
    ]
  },
}
