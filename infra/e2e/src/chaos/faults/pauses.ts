import { setTimeout as sleep } from 'node:timers/promises'
import { toErrorFacts } from '@rollcall/errors'
import { serviceProcess } from '../../stack/service-process.js'
import { until } from '../../stack/until.js'
import type { ArmedProcess } from '../armed-process.js'
import type { Fault } from '../fault.js'
import type { Stage } from '../stage.js'
import { BACK_WITHIN_MS, shipsAgain, tally } from './recovery.js'

const relaySteps = ['relay.looked', 'relay.sending', 'relay.sent', 'relay.shipped', 'relay.storing', 'relay.stored']

export const twoRelays: Fault = {
  name: 'two-relays',
  matrix: 'F9/F15',
  does: 'the leading one of two relays is stopped (SIGSTOP) mid-batch until the other leads, then goes on',
  expects: 'the first one sends nothing more under its old epoch: no version after a newer one at first appearance',
  trials: { short: 3, long: 20 },
  async run(stage, { trials, random }) {
    const problems: string[] = []
    const { counts, count } = tally()
    const second = await secondRelay(stage)
    try {
      stage.startTraffic()
      for (let trial = 0; trial < trials; trial++) {
        const leader = await leaderOf([stage.relay, second])
        if (leader === undefined) {
          problems.push('none of two relays leads')
          break
        }
        const epoch = await epochOf(stage)
        const step = relaySteps[trial % relaySteps.length] as string
        leader.arm(step, random.between(1, 5), 'SIGSTOP')
        await until({ what: `${leader.name} stands at ${step}`, timeoutMs: BACK_WITHIN_MS }, () => leader.hasFired)
        count(step)
        await until(
          { what: 'the other relay leads', timeoutMs: BACK_WITHIN_MS },
          async () => (await epochOf(stage)) > epoch,
        ).catch((error: unknown) => problems.push(toErrorFacts(error).message))
        await sleep(random.between(0, 800))
        leader.process.signal('SIGCONT')
        await shipsAgain(stage, problems, `a pause at ${step}`)
        await oneLeads([stage.relay, second], problems)
      }
    } finally {
      for (const one of [stage.relay, second]) one.process.signal('SIGCONT')
      await second.process.stop()
    }
    return { trials, problems, varieties: counts }
  },
}

export async function secondRelay(stage: Stage): Promise<ArmedProcess> {
  const { scene } = stage
  const second = await serviceProcess({
    service: 'relay',
    name: 'relay-2',
    endpoints: scene.own?.addressesFor('relay') ?? scene.endpoints,
    directory: scene.directory,
    env: stage.envOf('relay-2'),
  })
  await second.start()
  return stage.arm(second)
}

/** The one that was stopped must see that its epoch is over. */
async function oneLeads(relays: readonly ArmedProcess[], problems: string[]): Promise<void> {
  const what = 'the relay that was stopped no longer leads'
  await until({ what, timeoutMs: 15_000 }, async () => {
    const roles = await Promise.all(relays.map(roleOf))
    return roles.filter((role) => role === 'leader').length === 1
  }).catch((error: unknown) => problems.push(toErrorFacts(error).message))
}

async function leaderOf(relays: readonly ArmedProcess[]): Promise<ArmedProcess | undefined> {
  return until({ what: 'one of the relays leads', timeoutMs: BACK_WITHIN_MS }, async () => {
    for (const relay of relays) {
      if ((await roleOf(relay)) === 'leader') return relay
    }
    return undefined
  }).catch(() => undefined)
}

async function roleOf({ process }: ArmedProcess): Promise<string | undefined> {
  const answer = await fetch(`${process.url}/status`, { signal: AbortSignal.timeout(2_000) }).catch(() => null)
  const status = (await answer?.json().catch(() => null)) as { process?: { role?: string } } | null
  return status?.process?.role
}

async function epochOf({ scene }: Stage): Promise<number> {
  const { rows } = await scene.databases.registry.query<{ epoch: string }>('SELECT epoch FROM outbox.relay')
  return Number(rows[0]?.epoch ?? 0)
}

const consumerSteps = [
  'runner.decoded',
  'runner.advanced',
  'runner.applied',
  'runner.versions-recorded',
  'runner.committed',
]

export const zombie: Fault = {
  name: 'zombie',
  matrix: 'F9',
  does: 'one of two members is stopped at a step for longer than its session, and wakes as a zombie',
  expects: 'the other takes its partitions over; the zombie writes nothing more under its old claim',
  trials: { short: 2, long: 20 },
  async run(stage, { trials, random }) {
    const problems: string[] = []
    const { counts, count } = tally()
    const [directory2, counter2] = (await stage.scene.secondConsumers()).map(stage.arm) as [ArmedProcess, ArmedProcess]
    const pairs = [
      [stage.consumers[0], directory2],
      [stage.consumers[1], counter2],
    ] as [ArmedProcess, ArmedProcess][]
    await Promise.all([directory2, counter2].map(({ process }) => process.start()))
    let done = 0
    stage.startTraffic()
    try {
      await Promise.all(
        pairs.map(async (pair) => {
          while (done < trials) {
            const at = done++
            const victim = pair[at % 2] as ArmedProcess
            const step = consumerSteps[at % consumerSteps.length] as string
            victim.arm(step, random.between(1, 4), 'SIGSTOP')
            // A member may hold no partition just then: the next trial finds another.
            const stood = await until(
              { what: `${victim.name} stands`, timeoutMs: 15_000 },
              () => victim.hasFired,
            ).catch(() => false)
            count(stood ? step : 'held no partition')
            victim.disarm()
            if (stood) await sleep(random.between(6_500, 8_500))
            victim.process.signal('SIGCONT')
            await sleep(random.between(200, 1_500))
          }
        }),
      )
    } finally {
      for (const one of pairs.flat()) one.process.signal('SIGCONT')
      await Promise.all([directory2, counter2].map(({ process }) => process.stop()))
    }
    return { trials: done - (counts['held no partition'] ?? 0), problems, varieties: counts }
  },
}

export const rebalanceStorm: Fault = {
  name: 'rebalance-storm',
  matrix: 'F10',
  does: 'second and third members of the groups join, leave and are killed every second or two',
  expects: 'each effect once, whoever held the partition when',
  trials: { short: 6, long: 60 },
  async run(stage, { trials, random }) {
    const { counts, count } = tally()
    const others = [...(await stage.scene.secondConsumers()), ...(await stage.scene.secondConsumers())].map(stage.arm)
    stage.startTraffic()
    let done = 0
    try {
      await Promise.all(
        others.map(async ({ process }) => {
          while (done < trials) {
            done++
            // It may be ended again before it has joined: that is a storm too.
            void process.start().catch(() => {})
            await sleep(random.between(900, 3_000))
            const how = random.pick(['SIGKILL', 'SIGTERM'] as const)
            count(how === 'SIGKILL' ? 'joined, killed' : 'joined, left')
            await process.kill(how)
          }
        }),
      )
    } finally {
      await Promise.all(others.map(({ process }) => process.stop()))
    }
    return { trials: done, problems: [], varieties: counts }
  },
}
