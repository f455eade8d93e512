import { encodeRecordBody, partitionOf } from '@rollcall/kafka'
import pg from 'pg'
import { benchKafka, PARTITIONS } from '../bench-tools.js'
import { answer } from '../child.js'
import { topicOf, VERSION_HEADER } from '../peers/outbox-form.js'
import type { RelayCommands } from './relay.js'

const BATCH = 1_000
const IDLE_MS = 5

let isStopping = false
let running: Promise<void> | undefined

answer({
  async start(where) {
    running = poll(where)
  },
  async stop() {
    isStopping = true
    await running
  },
} satisfies RelayCommands)

/** The relay everybody writes first: lock a batch, send it, delete it. */
async function poll({ databaseUrl, kafka }: Parameters<RelayCommands['start']>[0]): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  const broker = benchKafka(kafka)
  const producer = broker.producer()
  while (!isStopping) {
    await client.query('BEGIN')
    const { rows } = await client.query({ name: 'take', text: TAKE, values: [BATCH] })
    if (rows.length > 0) {
      const timestampMs = Date.now()
      await producer.send(
        topicOf('poller'),
        rows.map(({ key, version, value }) => ({
          partition: partitionOf(Buffer.from(key), PARTITIONS),
          timestampMs,
          body: encodeRecordBody({ key, value, headers: { id: key, [VERSION_HEADER]: version } }),
        })),
      )
      await client.query({ name: 'drop', text: DROP, values: [rows.map(({ id }) => id)] })
    }
    await client.query('COMMIT')
    if (rows.length === 0) await new Promise((resolve) => setTimeout(resolve, IDLE_MS))
  }
  await Promise.all([client.end(), producer.close(), broker.close()])
}

const TAKE = 'SELECT id, key, version, value FROM outbox ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED'
const DROP = 'DELETE FROM outbox WHERE id = ANY ($1::bigint[])'
