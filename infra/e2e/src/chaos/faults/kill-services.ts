import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../../random.js'
import type { ArmedProcess } from '../armed-process.js'
import { type CrashPoint, crashPoints } from '../crash-points.js'
import type { Fault } from '../fault.js'
import type { Stage } from '../stage.js'
import { shipsAgain, startAgain, tally } from './recovery.js'

export const killRegistry: Fault = {
  name: 'kill-registry',
  group: 'services',
  matrix: 'F1',
  does: 'the registry dies between two steps of a write or of an import',
  expects: 'a client that asks again under its key gets one answer and one change',
  trials: { short: 10, long: 300 },
  async run(stage, { trials, random }) {
    const points = crashPoints.filter(({ actor }) => actor === 'registry')
    stage.startTraffic()
    return repeat(trials, async (trial, problems, count) => {
      const point = points[trial % points.length] as CrashPoint
      // Most chunks of an import are of 500 lines: a few of them are on their way when it dies.
      if (point.needs === 'an import') void stage.importUsers(600).catch(() => {})
      stage.registry.arm(point.step, point.needs === 'an import' ? 1 : random.between(1, 12))
      count(point, await stage.registry.downOrKilled(2_000))
      await startAgain(stage.registry, problems)
    })
  },
}

export const killRelay: Fault = {
  name: 'kill-relay',
  group: 'services',
  matrix: 'F1',
  does: 'the relay dies between two steps of its loop, live and in a back-log',
  expects: 'the next term goes on from the stored position; what is sent twice is equal',
  trials: { short: 10, long: 300 },
  async run(stage, { trials, random }) {
    const points = crashPoints.filter(({ actor, needs }) => actor === 'relay' && needs !== 'two relays')
    stage.startTraffic()
    return repeat(trials, async (trial, problems, count) => {
      const point = points[trial % points.length] as CrashPoint
      // Positions are stored in a back-log too, between its pages.
      const isStoring = point.step === 'relay.storing' || point.step === 'relay.stored'
      const inBackLog = point.needs === 'a back-log' || (isStoring && Math.floor(trial / points.length) % 2 === 0)
      await killRelayAt(stage, point, inBackLog, random, count)
      await startAgain(stage.relay, problems)
    })
  },
}

async function killRelayAt(
  stage: Stage,
  point: CrashPoint,
  inBackLog: boolean,
  random: Random,
  count: Count,
): Promise<void> {
  const { relay } = stage
  if (point.atStart || inBackLog) {
    await relay.process.kill('SIGKILL')
    // More than the live limit of 1,000 rows: what it finds is worked off page by page.
    if (inBackLog) await importBackLog(stage)
    relay.arm(point.step, 1)
    await relay.process.start().catch(() => {})
  } else relay.arm(point.step, random.between(1, 8))
  // The lease of the one killed before runs out first.
  count(point, await relay.downOrKilled(8_000))
}

/** The registry may be down just then. */
async function importBackLog(stage: Stage): Promise<void> {
  for (let tries = 0; tries < 5; tries++) {
    const created = await stage.importUsers(1_300).catch(() => 0)
    if (created > 0) return
    await sleep(500)
  }
}

export const relayWithoutKafka: Fault = {
  name: 'relay-without-kafka',
  matrix: 'F1/F3',
  does: 'the relay dies while Kafka stands still, with a send on its way',
  expects: 'what Kafka did not acknowledge is sent again by the next term',
  trials: { short: 2, long: 30 },
  async run(stage, { trials, random }) {
    const problems: string[] = []
    stage.startTraffic()
    for (let trial = 0; trial < trials; trial++) {
      await shipsAgain(stage, problems, 'the start of the relay')
      stage.kafka.signal('SIGSTOP')
      await sleep(random.between(300, 1_200))
      await stage.relay.process.kill('SIGKILL')
      // A request that lies in the socket of a broker that stands still would be done after all; a broker that dies does not.
      await stage.kafka.kill('SIGKILL')
      await stage.kafka.start()
      await startAgain(stage.relay, problems)
    }
    return { trials, problems }
  },
}

export const killConsumer: Fault = {
  name: 'kill-consumer',
  group: 'services',
  matrix: 'F1',
  does: 'directory and counters die between two steps of claiming and applying, each by itself',
  expects: 'each effect once: the counters are exact',
  trials: { short: 8, long: 300 },
  async run(stage, { trials, random }) {
    const points = crashPoints.filter(({ actor, needs }) => actor === 'consumer' && needs === undefined)
    stage.startTraffic()
    let next = 0
    // Each waits six seconds for the group to give up the one that died: side by side.
    const runs = stage.consumers.map((consumer) =>
      repeatWhile(
        () => next < trials,
        async (problems, count) => {
          const point = points[next++ % points.length] as CrashPoint
          await killConsumerAt(consumer, point, random, count)
          await startAgain(consumer, problems)
        },
      ),
    )
    const all = await Promise.all(runs)
    return {
      trials: all.reduce((sum, one) => sum + one.trials, 0),
      problems: all.flatMap(({ problems }) => problems),
      varieties: merge(all.map(({ varieties }) => varieties)),
    }
  },
}

export async function killConsumerAt(
  consumer: ArmedProcess,
  point: CrashPoint,
  random: Random,
  count: Count,
): Promise<void> {
  if (point.atStart) {
    await consumer.process.kill('SIGKILL')
    consumer.arm(point.step, 1)
    await consumer.process.start().catch(() => {})
  } else consumer.arm(point.step, random.between(1, 6))
  count(point, await consumer.downOrKilled(10_000))
}

type Count = (point: CrashPoint, how: string) => void

async function repeat(trials: number, trial: (at: number, problems: string[], count: Count) => Promise<void>) {
  let at = 0
  return repeatWhile(
    () => at < trials,
    (problems, count) => trial(at++, problems, count),
  )
}

async function repeatWhile(goesOn: () => boolean, trial: (problems: string[], count: Count) => Promise<void>) {
  const problems: string[] = []
  const { counts, count } = tally()
  let trials = 0
  while (goesOn()) {
    await trial(problems, (point, how) => count(how === 'at the step' ? point.step : how))
    trials++
  }
  return { trials, problems, varieties: counts }
}

function merge(all: ReadonlyArray<Readonly<Record<string, number>>>): Record<string, number> {
  const merged: Record<string, number> = {}
  for (const one of all) {
    for (const [name, times] of Object.entries(one)) merged[name] = (merged[name] ?? 0) + times
  }
  return merged
}
