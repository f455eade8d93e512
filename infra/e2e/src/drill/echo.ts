import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from '@rollcall/database'
import { createKafka, partitionOf } from '@rollcall/kafka'
import { createMetrics, type Logger } from '@rollcall/observability'

export interface EchoOptions {
  /** Kafka bootstrap servers. */
  readonly kafka: string
  readonly registry: Pool
  /** The directory's database: only what a consumer has applied is certainly on the topic. */
  readonly directory: Pool
  readonly topic: string
  readonly partitions: number
  readonly logger: Logger
}

/** Sends records that are on the topic once more, byte for byte, as a relay does that was killed before it remembered. */
export interface Echo {
  /** Resolves with the number of records sent again. */
  stop(): Promise<number>
}

const EVERY_MS = 200
const RECORDS = 10

/**
 * A kill hits the few milliseconds between sending and remembering only now and then (13 duplicates in 50 kills); the
 * consumers' exactly-once needs more to do. Most echoes are old after new.
 */
export function startEcho({ kafka, registry, directory, topic, partitions, logger }: EchoOptions): Echo {
  const client = createKafka({ KAFKA_BROKERS: kafka.split(',') }, { logger, metrics: createMetrics('echo') })
  const producer = client.producer()
  let stopped = false
  let sent = 0

  async function once(): Promise<void> {
    const applied = await directory.query<{ key: string; version: string }>(
      `SELECT key::text AS key, version::text AS version FROM projections.applied_version_people
       WHERE key >= $1 ORDER BY key LIMIT ${RECORDS}`,
      [await anyUser(directory)],
    )
    const { rows } = await registry.query<{ key: string; record: Buffer }>(
      `SELECT m.aggregate_id::text AS key, m.record
       FROM unnest($1::uuid[], $2::bigint[]) AS applied (key, version)
       JOIN outbox.message m ON m.aggregate_id = applied.key AND m.version = 1 + floor(random() * applied.version)`,
      [applied.rows.map((row) => row.key), applied.rows.map((row) => row.version)],
    )
    const records = rows.map(({ key, record }) => ({
      partition: partitionOf(Buffer.from(key), partitions),
      body: record,
      timestampMs: Date.now(),
    }))
    if (records.length === 0) return
    await producer.send(topic, records)
    sent += records.length
  }

  const loop = (async () => {
    while (!stopped) {
      // What dies meanwhile is the drill's doing.
      await once().catch(() => {})
      await sleep(EVERY_MS)
    }
  })()
  return {
    async stop() {
      stopped = true
      await loop
      await producer.close()
      await client.close()
      return sent
    },
  }
}

/** The id of some user, near the beginning or the end of all. */
async function anyUser(directory: Pool): Promise<string> {
  const { rows } = await directory.query<{ key: string }>(
    `SELECT key::text AS key FROM projections.applied_version_people TABLESAMPLE SYSTEM (5) ORDER BY random() LIMIT 1`,
  )
  return rows[0]?.key ?? '00000000-0000-0000-0000-000000000000'
}
