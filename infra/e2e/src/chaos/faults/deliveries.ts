import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { partitionOf } from '@rollcall/kafka'
import { request } from '../../stack/http-client.js'
import type { Fault } from '../fault.js'
import { inject } from '../inject.js'
import type { Stage } from '../stage.js'
import { tally } from './recovery.js'

export const calm: Fault = {
  name: 'calm',
  matrix: '-',
  does: 'nothing: traffic and an import, for comparison',
  expects: 'no violation without a fault; a trial is a change',
  trials: { short: 300, long: 2_000 },
  async run(stage, { trials }) {
    const before = await changes(stage)
    stage.startTraffic()
    await stage.importUsers(Math.ceil(trials / 4))
    let made = 0
    for (let waitedMs = 0; made < trials && waitedMs < 120_000; waitedMs += 200) {
      await sleep(200)
      made = (await changes(stage)) - before
    }
    return { trials: made, problems: [] }
  },
}

async function changes({ scene }: Stage): Promise<number> {
  const { rows } = await scene.databases.registry.query<{ made: number }>(
    'SELECT coalesce(sum(version), 0)::float8 AS made FROM user_account',
  )
  return rows[0]?.made ?? 0
}

export const duplicates: Fault = {
  name: 'duplicates',
  matrix: 'F5',
  does: 'records of the topic are sent once more, byte for byte, most of them after newer ones',
  expects: 'each effect once: the counters are exact',
  trials: { short: 100, long: 3_000 },
  async run(stage, { trials }) {
    stage.startTraffic()
    let sent = 0
    // Echoes need people that were applied: a scene that has just begun has few.
    for (let round = 0; sent < trials && round < 50; round++) {
      const echo = stage.scene.echo()
      await sleep(Math.min(10_000, Math.max(1_000, (trials - sent) * 25)))
      sent += await echo.stop()
    }
    return { trials: sent, problems: [] }
  },
}

export const gaps: Fault = {
  name: 'gaps',
  matrix: 'F6',
  does: 'the last of two new versions of a user comes to the topic before the first, or both in the wrong order',
  expects: 'the user is parked, the missing version fetched from the registry, each effect once, without a hand',
  trials: { short: 10, long: 300 },
  async run(stage, { trials, random }) {
    const { counts, count } = tally()
    const { registry } = stage.scene.databases
    stage.startTraffic()
    let done = 0
    for (let round = 0; done < trials && round < trials; round++) {
      await inject(stage, async () => {
        const users = await activeUsers(stage, Math.min(10, trials - done))
        for (const id of users) for (let change = 0; change < 2; change++) await patch(stage, id)
        const { rows } = await registry.query<{ key: string; record: Buffer; version: string }>(
          `SELECT aggregate_id::text AS key, record, version FROM (
             SELECT *, row_number() OVER (PARTITION BY aggregate_id ORDER BY version DESC) AS newest
             FROM outbox.message WHERE aggregate_id = ANY ($1::uuid[])) m WHERE newest <= 2 ORDER BY aggregate_id, version DESC`,
          [users],
        )
        const inverted = random.next() < 0.5
        const chosen = inverted ? rows : rows.filter(({ key }, at) => rows[at - 1]?.key !== key)
        done += users.length
        for (const _ of users) count(inverted ? 'two inverted' : 'the last one early')
        return chosen.map(({ key, record }) => ({ partition: partitionOf(Buffer.from(key), 12), body: record }))
      })
      await sleep(random.between(100, 600))
    }
    return { trials: done, problems: [], varieties: counts }
  },
}

/** Active users, chosen at random. */
export async function activeUsers({ scene }: Stage, count: number): Promise<string[]> {
  const { rows } = await scene.databases.registry.query<{ id: string }>(
    `SELECT id::text FROM user_account WHERE status = 'active' ORDER BY random() LIMIT $1`,
    [count],
  )
  return rows.map(({ id }) => id)
}

/** One change of a user by a client of its own; asked again under its key until it is made or refused. */
export async function patch(stage: Stage, id: string): Promise<boolean> {
  const key = randomUUID()
  for (let tries = 0; tries < 20; tries++) {
    const answer = await request('PATCH', `${stage.registry.process.url}/v1/users/${id}`, {
      headers: { 'content-type': 'application/merge-patch+json', 'idempotency-key': key },
      body: { attributes: { chaos: key } },
    }).catch(() => undefined)
    if (answer !== undefined && answer.status < 500) return answer.status === 200
    await sleep(200)
  }
  return false
}
