import type { PoolClient } from '@rollcall/database'
import { people } from '@rollcall/directory'
import { cloudEventHeaders, type EventCodec, type UserLifecycleEvent, userLifecycle } from '@rollcall/events'
import { userUpdated } from '@rollcall/events/testing'
import { encodeRecordBody, type KafkaClient, partitionOf } from '@rollcall/kafka'
import {
  defineProjection,
  type Projection,
  pgStore,
  type RebuildProgress,
  type RebuildRequest,
  type RunningProjections,
  type runProjections,
} from '@rollcall/projections'
import { type BenchDatabase, PARTITIONS, until } from './bench-tools.js'

export type AnyProjection = Projection<UserLifecycleEvent, PoolClient>
export type Runner = (projection: AnyProjection) => ReturnType<typeof runProjections>

/** Puts events straight on the topic, keyed and spread as the relay does it. */
export async function sendEvents(
  producer: ReturnType<KafkaClient['producer']>,
  codec: Pick<EventCodec<UserLifecycleEvent>, 'encode'>,
  events: readonly UserLifecycleEvent[],
): Promise<void> {
  const timestampMs = Date.now()
  for (let from = 0; from < events.length; from += 5_000) {
    const records = events.slice(from, from + 5_000).map((event) => {
      const headers = cloudEventHeaders(event, { source: '/bench' })
      const body = encodeRecordBody({ key: event.userId, value: codec.encode(event), headers })
      return { partition: partitionOf(Buffer.from(event.userId), PARTITIONS), body, timestampMs }
    })
    await producer.send(userLifecycle.name, records)
  }
}

/** Changes `count` users at a time, one event each, through all of them again and again. */
export function changesOf(states: UserLifecycleEvent[], count: number): () => UserLifecycleEvent[] {
  let from = 0
  return () => {
    const changes = Array.from({ length: count }, (_, at) => {
      // A stride that is prime to the number of users walks them in no order of the table.
      const index = ((from + at) * 7_919) % states.length
      const changed = userUpdated(states[index] as UserLifecycleEvent)
      states[index] = changed
      return changed
    })
    from += count
    return changes
  }
}

/** Fills the table and the known versions with what is in the topic, by the library's own rebuild. */
export async function ground({ pool }: BenchDatabase, name: string, table: string, runner: Runner): Promise<void> {
  const projection = tableForm(name, table, () => {})
  await pgStore(pool).register(projection, userLifecycle.name)
  const projections = runner(projection)
  try {
    await rebuilt(projections, name)
  } finally {
    await projections.close()
  }
  await pool.query(`VACUUM ANALYZE ${table}`)
}

/** Rebuilds the only projection of a runner; answers how it went. @throws Error unless it ends `done` */
export async function rebuilt(
  projections: RunningProjections,
  name: string,
  request: RebuildRequest = {},
): Promise<RebuildProgress> {
  const now = async () => (await projections.status())[0]?.rebuild ?? undefined
  const before = (await now())?.startedAt
  await projections.rebuild(name, request)
  let ended: RebuildProgress | undefined
  const hasEnded = async () => {
    const rebuild = await now()
    if (rebuild?.startedAt !== before && /done|built|failed/.test(rebuild?.phase ?? '')) ended = rebuild
    return ended !== undefined
  }
  await until(`${name} is rebuilt`, hasEnded, { everyMs: 20, timeoutMs: 300_000 })
  if (ended?.phase !== 'done') throw new Error(`the rebuild of ${name} ended ${ended?.phase}: ${ended?.error}`)
  return ended
}

/** Events per second from the first handler call to the last commit: joining the group is not what is measured. */
export async function apply(
  kafka: KafkaClient,
  { pool }: BenchDatabase,
  name: string,
  start: (first: () => void) => ReturnType<typeof runProjections>,
): Promise<number> {
  const position = async () => {
    const { rows } = await pool.query('SELECT sum(position) AS at FROM projections.checkpoint WHERE projection = $1', [
      name,
    ])
    return Number(rows[0]?.at)
  }
  const end = (await kafka.offsets(userLifecycle.name)).reduce((sum, { high }) => sum + high, 0)
  const before = await position()
  let startedAt = 0
  const projections = start(() => {
    startedAt ||= performance.now()
  })
  await projections.start()
  await until(`${name} at ${end}`, async () => (await position()) >= end, { everyMs: 20 })
  const tookS = (performance.now() - startedAt) / 1_000
  await projections.close()
  return (end - before) / tookS
}

export function tableForm(name: string, table: string, handled: (event: UserLifecycleEvent) => void): AnyProjection {
  return defineProjection<UserLifecycleEvent>({
    name,
    version: 1,
    topic: userLifecycle,
    table: {
      name: table,
      key: people.table.key,
      row(user, event) {
        handled(event)
        return people.table.row(user, event as never)
      },
    },
  })
}
