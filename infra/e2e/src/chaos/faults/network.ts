import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../../random.js'
import { type LinkName, linkNames } from '../../stack/links.js'
import type { Toxic } from '../../stack/proxy.js'
import type { Fault } from '../fault.js'
import type { Stage } from '../stage.js'
import { shipsAgain, tally } from './recovery.js'

type Trouble = 'cut' | 'held' | 'reset' | 'answers-lost' | 'slow' | 'late'

const troubles: readonly Trouble[] = ['cut', 'reset', 'held', 'answers-lost', 'slow', 'late']

export const network: Fault = {
  name: 'network',
  matrix: 'F4',
  does: 'one to three of eight links at a time are cut, reset, held open without a byte, lose all answers, trickle, or are late',
  expects: 'unanswered is unknown, never lost or doubled; all goes on when the link is back',
  trials: { short: 16, long: 240 },
  async run(stage, { trials, random }) {
    const problems: string[] = []
    const { counts, count } = tally()
    stage.startTraffic()
    let done = 0
    while (done < trials) {
      const chosen = new Set(Array.from({ length: random.between(1, 3) }, () => random.pick(linkNames)))
      const rounds = [...chosen].map((link) => ({ link, trouble: troubles[done++ % troubles.length] as Trouble }))
      for (const { link, trouble } of rounds) count(`${link}: ${trouble}`)
      await Promise.all(rounds.map(({ link, trouble }) => disturb(stage, link, trouble, random)))
      await shipsAgain(stage, problems, rounds.map(({ link, trouble }) => `${link} ${trouble}`).join(', '))
      await sleep(random.between(0, 300))
    }
    return { trials: done, problems, varieties: counts }
  },
}

export const answersLost: Fault = {
  name: 'answers-lost',
  matrix: 'F4',
  does: 'clients of the registry get no answer for a while; those with a key ask again',
  expects: 'asked again, a change is not made again, and is not refused for having been made',
  trials: { short: 6, long: 300 },
  async run(stage, { trials, random }) {
    stage.startTraffic()
    for (let trial = 0; trial < trials; trial++) {
      await sleep(random.between(100, 600))
      stage.links['clients-registry'].set({ kind: 'answers-lost' })
      await sleep(random.between(50, 400))
      stage.links['clients-registry'].set({ kind: 'through' })
    }
    return { trials, problems: [] }
  },
}

async function disturb({ links }: Stage, name: LinkName, trouble: Trouble, random: Random): Promise<void> {
  const link = links[name]
  if (trouble === 'reset') {
    for (let times = random.between(1, 4); times > 0; times--) {
      link.reset()
      await sleep(random.between(5, 200))
    }
    return
  }
  link.set(toxicOf(trouble, random))
  await sleep(trouble === 'held' ? random.between(500, 4_000) : random.between(200, 1_500))
  link.set({ kind: 'through' })
}

function toxicOf(trouble: Exclude<Trouble, 'reset'>, random: Random): Toxic {
  if (trouble === 'slow') return { kind: 'slow', bytesPerSecond: random.pick([1, 50, 2_000]) }
  if (trouble === 'late') return { kind: 'late', ms: random.between(20, 300) }
  return { kind: trouble }
}
