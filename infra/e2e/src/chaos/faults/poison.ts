import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from '@rollcall/database'
import { toErrorFacts } from '@rollcall/errors'
import { decodeRecordBody, encodeRecordBody, partitionOf } from '@rollcall/kafka'
import type { Random } from '../../random.js'
import { request } from '../../stack/http-client.js'
import { until } from '../../stack/until.js'
import type { ArmedProcess } from '../armed-process.js'
import { crashPoints } from '../crash-points.js'
import type { Fault } from '../fault.js'
import { type InjectedRecord, inject } from '../inject.js'
import type { Stage } from '../stage.js'
import { activeUsers, patch } from './deliveries.js'
import { BACK_WITHIN_MS, readyAgain, startAgain, tally } from './recovery.js'

export const poison: Fault = {
  name: 'poison',
  matrix: 'F11',
  does: 'records that cannot be read (seven kinds) and users the handler fails on; retried in vain, mended, retried while the process dies',
  expects:
    'each parks its user, the others flow; a retry in vain loses nothing; after the last one each effect once, in order',
  trials: { short: 12, long: 60 },
  async run(stage, { trials, random }) {
    const problems: string[] = []
    const { counts, count } = tally()
    await prepare(stage)
    stage.startTraffic()
    let done = 0
    for (let round = 0; done < trials; round++) {
      const size = Math.min(12, trials - done)
      const users = await activeUsers(stage, size)
      const [failing, garbled] = [users.slice(0, Math.ceil(size / 2)), users.slice(Math.ceil(size / 2))]
      await failFor(stage, failing)
      for (const id of failing) count((await patch(stage, id)) ? 'handler fails' : 'not changed')
      await inject(stage, async () => {
        const records = await Promise.all(
          garbled.map((id, at) => garble(stage, id, kinds[(done + at) % kinds.length] as Kind, random)),
        )
        for (const [at] of garbled.entries()) count(kinds[(done + at) % kinds.length] as Kind)
        return records
      })
      await areParked(stage, [...failing, ...garbled], problems)
      // Later versions queue behind the head.
      for (const id of users) for (let change = 0; change < 2; change++) await patch(stage, id)
      await sleep(300)
      await release(stage, problems, { discards: false, rounds: 1 })
      await areParked(stage, failing, problems)
      await failFor(stage, [])
      await releaseWhileDying(stage, round, problems, count)
      done += size
    }
    return { trials: done, problems, varieties: counts }
  },
}

const kinds = ['bad magic', 'unknown schema', 'empty', 'cut short', 'oversize', 'bomb', 'noise'] as const
type Kind = (typeof kinds)[number]

/** A record under the user's key that no schema can read; without a version of its own, so that no real one is passed over. */
async function garble(stage: Stage, userId: string, kind: Kind, random: Random): Promise<InjectedRecord> {
  const { rows } = await stage.scene.databases.registry.query<{ record: Buffer }>(
    'SELECT record FROM outbox.message WHERE aggregate_id = $1 ORDER BY version DESC LIMIT 1',
    [userId],
  )
  const { value } = decodeRecordBody(rows[0]?.record ?? Buffer.alloc(0))
  const real = value ?? Buffer.alloc(0)
  const header = real.subarray(0, 5)
  const noise = Buffer.from(Array.from({ length: 64 }, () => random.between(0, 255)))
  const values: Record<Kind, Buffer> = {
    'bad magic': Buffer.concat([Buffer.from([1]), real.subarray(1)]),
    'unknown schema': Buffer.concat([Buffer.from([0, 0x7f, 0xff, 0xff, 0xfe]), real.subarray(5)]),
    empty: Buffer.alloc(0),
    'cut short': real.subarray(0, 9),
    oversize: Buffer.concat([header, Buffer.alloc(800_000, 0x7e)]),
    // A length of 2^40 before the first string.
    bomb: Buffer.concat([header, Buffer.from([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01])]),
    noise: Buffer.concat([header, Buffer.from([0xff]), noise]),
  }
  const body = encodeRecordBody({
    key: Buffer.from(userId),
    value: values[kind],
    headers: { ce_id: Buffer.from(`chaos-${userId}`), ce_subject: Buffer.from(userId) },
  })
  return { partition: partitionOf(Buffer.from(userId), 12), body }
}

interface Consumer {
  readonly armed: ArmedProcess
  readonly pool: Pool
  readonly projection: string
  readonly table: string
}

function consumersOf({ consumers, scene }: Stage): Consumer[] {
  const [directory, ...counters] = consumers as [ArmedProcess, ...ArmedProcess[]]
  return [
    { armed: directory, pool: scene.databases.directory, projection: 'people', table: 'person' },
    ...counters.map((armed, at) => ({
      armed,
      pool: scene.databases.counters[at] as Pool,
      projection: 'effect-counter',
      table: 'effect',
    })),
  ]
}

/** The bug: each read model refuses the users of a table. */
async function prepare(stage: Stage): Promise<void> {
  for (const { pool, table } of consumersOf(stage)) {
    await pool.query(`
      CREATE TABLE IF NOT EXISTS chaos_refused (user_id uuid PRIMARY KEY);
      CREATE OR REPLACE FUNCTION chaos_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF EXISTS (SELECT FROM chaos_refused WHERE user_id = coalesce(NEW.user_id, OLD.user_id)) THEN
          RAISE EXCEPTION 'refused by the chaos suite';
        END IF;
        RETURN coalesce(NEW, OLD);
      END $$;
      DROP TRIGGER IF EXISTS chaos_refuse ON ${table};
      CREATE TRIGGER chaos_refuse BEFORE INSERT OR UPDATE OR DELETE ON ${table}
        FOR EACH ROW EXECUTE FUNCTION chaos_refuse()`)
  }
}

async function failFor(stage: Stage, users: readonly string[]): Promise<void> {
  for (const { pool } of consumersOf(stage)) {
    await pool.query(
      'WITH gone AS (DELETE FROM chaos_refused WHERE user_id <> ALL ($1::uuid[])) INSERT INTO chaos_refused SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING',
      [users],
    )
  }
}

async function areParked(stage: Stage, users: readonly string[], problems: string[]): Promise<void> {
  for (const { armed, pool, projection } of consumersOf(stage)) {
    const what = `${armed.name} has parked ${users.length} poisoned users`
    await until({ what, timeoutMs: BACK_WITHIN_MS }, async () => {
      const { rows } = await pool.query<{ parked: number }>(
        'SELECT count(*)::int AS parked FROM projections.parked_user WHERE projection = $1 AND key = ANY ($2::uuid[])',
        [projection, users],
      )
      return rows[0]?.parked === users.length
    }).catch((error: unknown) => problems.push(toErrorFacts(error).message))
  }
}

const dyingSteps = crashPoints.filter(({ step }) => step.startsWith('redrive.')).map(({ step }) => step)

async function releaseWhileDying(stage: Stage, round: number, problems: string[], count: (what: string) => void) {
  const victim = stage.consumers[round % stage.consumers.length] as ArmedProcess
  const step = dyingSteps[round % dyingSteps.length] as string
  victim.arm(step, 1)
  await release(stage, problems, { discards: true, rounds: 1 })
  if (victim.hasFired) {
    count(`died at ${step}`)
    await victim.downOrKilled(5_000)
    await startAgain(victim, problems)
  }
  victim.disarm()
  await readyAgain(victim, problems, `a death at ${step}`)
  await release(stage, problems, { discards: true, rounds: 100 })
}

/** What an operator does: retries the parked users of every read model; with `discards`, passes over what cannot be read. */
async function release(
  stage: Stage,
  problems: string[],
  { discards, rounds }: { readonly discards: boolean; readonly rounds: number },
): Promise<void> {
  const [directory, ...counters] = consumersOf(stage) as [Consumer, ...Consumer[]]
  for (let round = 0; round < rounds; round++) {
    await releaseDirectory(directory.armed.process.url, discards).catch(() => {})
    const path = discards ? '/release' : '/retry'
    for (const { armed } of counters) await request('POST', `${armed.process.url}${path}`).catch(() => {})
    if ((await Promise.all([directory, ...counters].map(parkedIn))).every((parked) => parked === 0)) return
    if (rounds > 1) await sleep(300)
  }
  if (rounds > 1) problems.push('users stay parked although nothing is wrong with them any more')
}

async function releaseDirectory(url: string, discards: boolean): Promise<void> {
  const letters = `${url}/admin/projections/people/dead-letters`
  const { body } = await request('GET', `${letters}?limit=1000`)
  for (const { userId } of (body as { users: { userId: string }[] }).users) {
    const { body: result } = await request('POST', `${letters}/${userId}/retry`)
    const { failure } = result as { failure?: { code?: string } | null }
    if (!discards || failure?.code !== 'ERR_PROJECTION_EVENT_UNREADABLE') continue
    await request('POST', `${letters}/${userId}/discard`, { body: { reason: 'injected by the chaos suite' } })
    await request('POST', `${letters}/${userId}/retry`)
  }
}

async function parkedIn({ pool, projection }: Consumer): Promise<number> {
  const { rows } = await pool.query<{ parked: number }>(
    'SELECT count(*)::int AS parked FROM projections.parked_user WHERE projection = $1',
    [projection],
  )
  return rows[0]?.parked ?? 0
}
