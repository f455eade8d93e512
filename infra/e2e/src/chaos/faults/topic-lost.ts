import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from '@rollcall/database'
import { userLifecycle } from '@rollcall/events'
import { parseTopicSpecs } from '@rollcall/kafka'
import { deleteRecords, deleteTopic } from '@rollcall/kafka/testing'
import { topicsFile } from '../../stack/repository.js'
import { answers } from '../../stack/service-process.js'
import { until } from '../../stack/until.js'
import type { Fault, FaultRun } from '../fault.js'
import type { Stage } from '../stage.js'
import { BACK_WITHIN_MS, tally } from './recovery.js'

export const topicTrimmed: Fault = {
  name: 'topic-trimmed',
  matrix: 'F17',
  does: 'retention passes the position of consumers that are down',
  expects: 'each such partition stops loudly where it stood, its process is not ready; never a silent jump',
  trials: { short: 12, long: 48 },
  scene: 'own',
  run: (stage) =>
    loseRecords(stage, async (positions) => {
      const ends = new Map(
        (await stage.scene.kafka.offsets(userLifecycle.name)).map((one) => [one.partition, one.high]),
      )
      const below = [...positions].filter(([partition, position]) => (ends.get(partition) ?? 0) > position)
      await deleteRecords(
        stage.scene.endpoints.kafka,
        userLifecycle.name,
        new Map(below.map(([partition]) => [partition, ends.get(partition) as number])),
      )
    }),
}

export const topicRecreated: Fault = {
  name: 'topic-recreated',
  matrix: 'F17',
  does: 'the topic is deleted and made anew, empty, while consumers are down',
  expects: 'each partition that had been read stops loudly where it stood; never a silent jump',
  trials: { short: 12, long: 48 },
  scene: 'own',
  run: (stage) =>
    loseRecords(stage, async () => {
      await stage.relay.process.kill('SIGKILL')
      await deleteTopic(stage.scene.endpoints.kafka, userLifecycle.name)
      const specs = parseTopicSpecs(JSON.parse(readFileSync(topicsFile, 'utf8')))
      // The old topic is gone, and the new one has its leaders, a moment after the broker has said so.
      await until({ what: 'the topic is there again', timeoutMs: BACK_WITHIN_MS, pollMs: 500 }, async () => {
        await stage.scene.kafka.applyTopics(specs)
        return (await stage.scene.kafka.offsets(userLifecycle.name)).every(({ high }) => high === 0)
      })
    }),
}

/** One trial is one partition of one consumer. */
async function loseRecords(
  stage: Stage,
  lose: (positions: ReadonlyMap<number, number>) => Promise<void>,
): Promise<FaultRun> {
  const problems: string[] = []
  const { counts, count } = tally()
  stage.startTraffic()
  await stage.importUsers(200)
  await sleep(1_500)
  const consumers = stage.consumers.map((armed, at) => ({
    armed,
    pool: (at === 0 ? stage.scene.databases.directory : stage.scene.databases.counters[at - 1]) as Pool,
  }))
  await Promise.all(consumers.map(({ armed }) => armed.process.kill('SIGKILL')))
  const stood = await Promise.all(consumers.map(({ pool }) => checkpoints(pool)))
  await sleep(1_500)
  await stage.stopTraffic()
  await lose(new Map(stood[0]?.map(({ partition, position }) => [partition, position])))
  const offsets = new Map((await stage.scene.kafka.offsets(userLifecycle.name)).map((one) => [one.partition, one]))
  for (const { armed } of consumers) void armed.process.start().catch(() => {})
  for (const [at, { armed, pool }] of consumers.entries()) {
    const lost = (stood[at] ?? []).filter(({ partition, position }) => {
      const { low = 0, high = 0 } = offsets.get(partition) ?? {}
      return position < low || position > high
    })
    for (const _ of lost) count(armed.name)
    const unsaid = async () => {
      const told = (await checkpoints(pool)).filter(({ failure }) => failure === 'ERR_PROJECTION_POSITION_LOST')
      return lost.filter(({ partition }) => !told.some((one) => one.partition === partition))
    }
    const what = `${armed.name} says of each lost position that it is lost`
    await until({ what, timeoutMs: BACK_WITHIN_MS }, async () => (await unsaid()).length === 0).catch(async () => {
      for (const { partition, position } of await unsaid()) {
        problems.push(`${armed.name} did not say that position ${position} of partition ${partition} is lost`)
      }
    })
    for (const { partition, position } of await checkpoints(pool)) {
      const before = lost.find((one) => one.partition === partition)
      if (before !== undefined && before.position !== position) {
        problems.push(
          `${armed.name} went from ${before.position} to ${position} over lost records of partition ${partition}`,
        )
      }
    }
    if (lost.length > 0 && (await answers(`${armed.process.url}/health/ready`)))
      problems.push(`${armed.name} is ready without records`)
  }
  return {
    trials: Object.values(counts).reduce((sum, one) => sum + one, 0),
    problems,
    varieties: counts,
    isSpoilt: true,
  }
}

async function checkpoints(pool: Pool): Promise<{ partition: number; position: number; failure: string | null }[]> {
  const { rows } = await pool.query<{ partition: number; position: string; failure: string | null }>(
    `SELECT partition, position, failure ->> 'code' AS failure FROM projections.checkpoint ORDER BY partition`,
  )
  return rows.map(({ position, ...row }) => ({ ...row, position: Number(position) }))
}
