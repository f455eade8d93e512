import { createPool, type Pool } from '@rollcall/database'
import type { Endpoints } from '@rollcall/dev'
import { createCodec, type EventCodec, type UserLifecycleEvent, userLifecycle } from '@rollcall/events'
import { createKafka, decodeRecordBody, type KafkaClient, partitionOf, type TopicSlice } from '@rollcall/kafka'
import { createMetrics, type Logger } from '@rollcall/observability'
import { recordDigest } from './digest.js'
import { expectedPerson, personColumns, personFields } from './expected-person.js'
import { handOver } from './hand-over.js'
import type {
  AppliedRow,
  AuditRow,
  History,
  JournalEntry,
  OutboxRow,
  PersonRow,
  TopicRecord,
  UserState,
} from './history.js'
import { readInPages } from './read-in-pages.js'
import { userStateOf } from './user-state.js'

export interface LoadedHistory {
  readonly history: History
  close(): Promise<void>
}

export interface LoadHistoryOptions {
  readonly endpoints: Pick<Endpoints, 'kafka' | 'schemaRegistry' | 'databases'>
  readonly logger: Logger
  /** The databases of effect counters, by their names. */
  readonly counterDatabases?: ReadonlyMap<string, string>
  /** Records a fault put on the topic past the relay, as `partition/offset`: they are left out. */
  readonly injected?: ReadonlySet<string>
  readonly journal?: readonly JournalEntry[]
}

/** Opens a running stack as a history. Rows come through cursors and records in batches: nothing is held whole. */
export async function loadHistory(options: LoadHistoryOptions): Promise<LoadedHistory> {
  const { endpoints, logger, counterDatabases = new Map(), injected = new Set(), journal = [] } = options
  const tools = { logger, metrics: createMetrics('checker') }
  const open = (url: string) => createPool({ url, max: 2, applicationName: 'checker' }, { logger })
  const registry = open(endpoints.databases.userRegistry)
  const directory = open(endpoints.databases.directory)
  const counters = [...counterDatabases].map(([name, url]) => ({ name, pool: open(url) }))
  const kafka = createKafka({ KAFKA_BROKERS: endpoints.kafka.split(',') }, tools)
  const codec = createCodec(userLifecycle, { schemaRegistryUrl: endpoints.schemaRegistry, register: false })
  const partitions = (await kafka.offsets(userLifecycle.name)).length

  const applied = (pool: Pool, projection: string) => () =>
    readInPages<AppliedRow>(
      pool,
      `SELECT key AS "userId", version::float8 AS count FROM projections."applied_version_${projection}"`,
    )
  return {
    history: {
      users: () => users(registry),
      outbox: () => outbox(registry),
      audit: () => audit(registry),
      topic: () => topic(kafka, codec, injected),
      people: () => people(directory),
      expectedPerson,
      partitionOf: (key) => partitionOf(Buffer.from(key), partitions),
      applied: new Map([
        ['directory/people', applied(directory, 'people')] as const,
        ...counters.map(({ name, pool }) => [name, applied(pool, 'effect-counter')] as const),
      ]),
      counters: new Map(
        counters.map(({ name, pool }) => [
          name,
          () => readInPages<AppliedRow>(pool, 'SELECT user_id AS "userId", count::float8 AS count FROM effect'),
        ]),
      ),
      journal,
    },
    async close() {
      await Promise.all([registry.end(), directory.end(), ...counters.map(({ pool }) => pool.end()), kafka.close()])
    },
  }
}

async function* users(pool: Pool): AsyncIterable<UserState> {
  const rows = readInPages<UserState>(
    pool,
    `SELECT id, tenant_id AS "tenantId", user_name AS "userName", emails, name, phone, locale, timezone, attributes,
            status, version::float8 AS version, created_at AS "createdAt", updated_at AS "updatedAt",
            deleted_at AS "deletedAt", purge_at AS "purgeAt"
     FROM user_account ORDER BY id`,
  )
  for await (const row of rows) yield userStateOf(row)
}

async function* outbox(pool: Pool): AsyncIterable<OutboxRow> {
  const rows = readInPages<{ id: number; aggregate_id: string; version: number; record: Buffer }>(
    pool,
    'SELECT id::float8 AS id, aggregate_id::text, version::float8 AS version, record FROM outbox.message ORDER BY id',
  )
  for await (const { id, aggregate_id, version, record } of rows) {
    const { key, value, headers } = decodeRecordBody(record)
    yield { id, userId: aggregate_id, version, digest: recordDigest(key, value, headers) }
  }
}

function audit(pool: Pool): AsyncIterable<AuditRow> {
  return readInPages<AuditRow>(
    pool,
    `SELECT id::text AS id, target_id::text AS "userId", target_version::float8 AS version, outcome::text AS outcome
     FROM audit.entry WHERE target_type = 'user'`,
  )
}

async function* topic(
  kafka: KafkaClient,
  codec: EventCodec<UserLifecycleEvent>,
  injected: ReadonlySet<string>,
): AsyncIterable<TopicRecord> {
  const slices = handOver<TopicSlice>((push) =>
    kafka.readTopic({ topic: userLifecycle.name, onBatch: push }).then(() => {}),
  )
  for await (const { partition, records } of slices) {
    for (const { offset, key, value, headers } of records) {
      if (injected.has(`${partition}/${offset}`)) continue
      const text = (name: string) => headers[name]?.toString() ?? ''
      const { eventId, type, userId, version, correlationId, user } = await codec.decode(value ?? Buffer.alloc(0))
      yield {
        partition,
        offset,
        key: key?.toString() ?? '',
        ceId: text('ce_id'),
        ceSequence: Number(text('ce_sequence')),
        digest: recordDigest(key, value, headers),
        event: { eventId, type, userId, version, correlationId, user: userStateOf(user) },
      }
    }
  }
}

async function* people(pool: Pool): AsyncIterable<PersonRow> {
  const rows = readInPages<Record<string, unknown> & { user_id: string }>(
    pool,
    `SELECT ${personColumns} FROM person ORDER BY user_id`,
  )
  for await (const row of rows) yield { userId: row.user_id, fields: personFields(row) }
}
