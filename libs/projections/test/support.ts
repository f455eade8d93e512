import { createPool, type MigrationSource, type Pool } from '@rollcall/database'
import { createTestDatabase, type TestDatabase } from '@rollcall/database/testing'
import { type User, type UserLifecycleEvent, userLifecycle } from '@rollcall/events'
import { createMetrics, type Metrics } from '@rollcall/observability'
import { type LogSink, logSink } from '@rollcall/observability/testing'
import {
  defineProjection,
  type Projection,
  type ProjectionStore,
  pgStore,
  projectionMigrations,
  type RunningProjections,
  type RunProjectionsOptions,
  runProjections,
} from '../src/index.js'
import type { MemoryLog } from './memory-log.js'

type Client = import('@rollcall/database').PoolClient

/** A read model in three forms, each with its own table of the same shape, plus a count that tells a doubled effect. */
export const TABLES = `
  CREATE TABLE person (user_id uuid PRIMARY KEY, user_name text NOT NULL, emails text[] NOT NULL, attributes jsonb,
    status text NOT NULL, version bigint NOT NULL, updated_at timestamptz NOT NULL) WITH (fillfactor = 85);
  CREATE INDEX person_user_name ON person (user_name);
  CREATE INDEX person_emails ON person USING gin (emails);
  CREATE TABLE person_by_event (LIKE person INCLUDING ALL);
  CREATE TABLE person_by_batch (LIKE person INCLUDING ALL);
  CREATE TABLE seen (user_id uuid PRIMARY KEY, events integer NOT NULL);`

export const rowOf = (user: User) => ({
  user_name: user.userName,
  emails: user.emails.map(({ value }) => value),
  attributes: user.attributes,
  status: user.status,
  version: user.version,
  updated_at: user.updatedAt,
})

export const byTable = (name = 'by-table', version = 1) =>
  defineProjection({
    name,
    version,
    topic: userLifecycle,
    table: {
      name: 'person',
      key: 'user_id',
      row: (user: User) => (user.status === 'deleted' ? null : rowOf(user)),
    },
  })

const put = (table: string, client: Client, user: User) => {
  const { user_name, emails, attributes, status, version, updated_at } = rowOf(user)
  return client.query(
    `INSERT INTO ${table} VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (user_id) DO UPDATE SET user_name = $2, emails = $3,
       attributes = $4, status = $5, version = $6, updated_at = $7`,
    [user.id, user_name, emails, JSON.stringify(attributes), status, version, updated_at],
  )
}

const count = (client: Client, userId: string) =>
  client.query('INSERT INTO seen AS s VALUES ($1, 1) ON CONFLICT (user_id) DO UPDATE SET events = s.events + 1', [
    userId,
  ])

/** Not idempotent on purpose: `seen` counts, so that an effect applied twice or never shows. */
export const byEvent = (name = 'by-event', version = 1) => {
  const upsert = async (event: UserLifecycleEvent, { tx }: { tx: Client }) => {
    await count(tx, event.userId)
    await put('person_by_event', tx, event.user)
  }
  return defineProjection({
    name,
    version,
    topic: userLifecycle,
    on: {
      UserCreated: upsert,
      UserUpdated: upsert,
      UserSuspended: upsert,
      UserReactivated: upsert,
      UserRestored: upsert,
      UserDeleted: async ({ userId }, { tx }) => {
        await count(tx, userId)
        await tx.query('DELETE FROM person_by_event WHERE user_id = $1', [userId])
      },
    },
    async reset({ tx }) {
      await tx.query('DELETE FROM person_by_event')
      await tx.query('DELETE FROM seen')
    },
  })
}

export const byBatch = (name = 'by-batch') =>
  defineProjection({
    name,
    version: 1,
    topic: userLifecycle,
    async onBatch({ latest }, { tx }) {
      for (const { userId, user, deleted } of latest) {
        if (deleted) await tx.query('DELETE FROM person_by_batch WHERE user_id = $1', [userId])
        else await put('person_by_batch', tx, user)
      }
    },
    reset: ({ tx }) => tx.query('DELETE FROM person_by_batch'),
  })

export interface Fixture {
  readonly database: TestDatabase
  readonly pool: Pool
  /** What `run` started and a failed test left running. */
  readonly running: Set<RunningProjections>
  close(): Promise<void>
}

export async function fixture(extra: readonly MigrationSource[] = []): Promise<Fixture> {
  const database = await createTestDatabase({ migrations: [projectionMigrations, ...extra] })
  await database.pool.query(TABLES)
  const running = new Set<RunningProjections>()
  return {
    database,
    pool: database.pool,
    running,
    async close() {
      await Promise.all([...running].map((one) => one.close()))
      await database.close()
    },
  }
}

/** A pool of its own for a process that is to be killed. */
export const ownPool = ({ database }: Fixture, applicationName: string, max = 4) =>
  createPool({ url: database.url, applicationName, max }, { logger: logSink().logger })

export interface Running {
  readonly projections: RunningProjections
  readonly log: LogSink
  readonly metrics: Metrics
  metric(name: string): Promise<number>
}

export function run<Tx>(
  fixed: Fixture,
  log: MemoryLog,
  list: readonly Projection<UserLifecycleEvent, Tx>[],
  options: Partial<RunProjectionsOptions<UserLifecycleEvent, Tx>> = {},
): Running {
  const sink = logSink()
  const metrics = createMetrics('test')
  const projections = runProjections<UserLifecycleEvent, Tx>(list, {
    kafka: log,
    database: pgStore(fixed.pool) as unknown as ProjectionStore<Tx>,
    codec: log.codec,
    logger: sink.logger,
    metrics,
    controlIntervalMs: 20,
    ...options,
  })
  fixed.running.add(projections)
  return { projections, log: sink, metrics, metric: (name) => metricOf(metrics, name) }
}

export async function metricOf(metrics: Metrics, name: string): Promise<number> {
  const lines = (await metrics.text()).split('\n').filter((line) => line.startsWith(`${name}{`))
  return lines.reduce((sum, line) => sum + Number(line.split(' ').pop()), 0)
}

export async function until(holds: () => boolean | Promise<boolean>, timeoutMs = 15_000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${holds}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

export async function rows(pool: Pool, table: string): Promise<Record<string, unknown>[]> {
  const found = await pool.query<{ row: Record<string, unknown> }>(
    `SELECT to_jsonb(t) AS row FROM ${table} t ORDER BY user_id`,
  )
  return found.rows.map(({ row }) => row)
}

/** What the rows must be after all these events, computed the naive way. */
export function expectedRows(events: readonly UserLifecycleEvent[]): { user_id: string; version: number }[] {
  const last = new Map<string, UserLifecycleEvent>()
  for (const event of events) if (event.version > (last.get(event.userId)?.version ?? 0)) last.set(event.userId, event)
  return [...last.values()]
    .filter(({ user }) => user.status !== 'deleted')
    .map(({ userId, version }) => ({ user_id: userId, version }))
    .sort((a, b) => (a.user_id < b.user_id ? -1 : 1))
}

/** How many events of the user had their effect, by the count that `byEvent` keeps. */
export async function seenEvents(pool: Pool, userId: string | undefined): Promise<number> {
  const { rows: found } = await pool.query<{ events: number }>('SELECT events FROM seen WHERE user_id = $1', [userId])
  return found[0]?.events ?? 0
}
