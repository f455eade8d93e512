import { setTimeout as delay } from 'node:timers/promises'
import { createPool, withTransaction } from '@rollcall/database'
import { cloudEventHeaders, userLifecycle } from '@rollcall/events'
import { userCreated, userUpdated } from '@rollcall/events/testing'
import { decodeRecordBody, encodeRecordBody, partitionOf } from '@rollcall/kafka'
import { appendToOutbox, createRelay, outboxMigrations } from '@rollcall/outbox'
import { CompressionTypes, Kafka, logLevel } from 'kafkajs'
import type { Bench } from '../bench.js'
import { benchKafka, benchTools, makeTopic, openBenchDatabase, readyCodec } from '../bench-tools.js'
import { interleave, median, pairedRatio } from '../measure.js'

const USERS = 20_000
const STOCK_RECORDS = 100_000
const STOCK_BATCH = 1_000
const STOCK_TOPIC = 'bench.stock.v1'

/** How fast a full outbox empties into Kafka, against the stock client producing the same bytes from memory. */
export const relay: Bench = {
  name: 'relay',
  about: 'drain of a full outbox, against stock kafkajs producing the same records from memory',
  async run({ stack, rounds, scale, log }) {
    const { url, pool } = await openBenchDatabase(stack, 'bench_relay', [outboxMigrations], 4)
    const codec = await readyCodec(stack.schemaRegistry)
    const kafka = benchKafka(stack.kafka)
    await makeTopic(kafka)
    // A topic of its own: the relay looks at what others wrote to its topic before it begins.
    await makeTopic(kafka, STOCK_TOPIC)
    const rows = Math.round(500_000 * scale)
    const bodies = await fill(rows, async (messages) => appendToOutbox(pool, messages), codec)
    await pool.query('ANALYZE outbox.message')
    log(`${rows} rows in the outbox, ${bodies[0]?.body.length} bytes the first`)

    const drain = async () => {
      await pool.query(
        `UPDATE outbox.relay SET snap = '1:1:', upper = NULL, last_id = 0, shipped = 0, owner = NULL, heartbeat_at = '-infinity'`,
      )
      const running = createRelay({ databaseUrl: url, kafka, ...benchTools() })
      const startedAt = performance.now()
      running.start()
      while (running.status().shipped < rows) await delay(5)
      const perSecond = rows / ((performance.now() - startedAt) / 1_000)
      await running.stop()
      return perSecond
    }

    const stock = new Kafka({ brokers: stack.kafka.split(','), logLevel: logLevel.NOTHING })
    const producer = stock.producer({ idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    const messages = bodies.slice(0, STOCK_RECORDS).map(({ partition, body }) => {
      const { key, value, headers } = decodeRecordBody(body)
      return { partition, key, value, headers: headers as Record<string, Buffer> }
    })
    const produceStock = async () => {
      const startedAt = performance.now()
      for (let at = 0; at < messages.length; at += STOCK_BATCH) {
        await producer.send({
          topic: STOCK_TOPIC,
          acks: -1,
          compression: CompressionTypes.None,
          messages: messages.slice(at, at + STOCK_BATCH),
        })
      }
      return messages.length / ((performance.now() - startedAt) / 1_000)
    }

    const held = async () => {
      const holder = createPool({ url, max: 1, applicationName: 'idle in transaction' }, benchTools())
      try {
        return await withTransaction(holder, async (client) => {
          await client.query('CREATE TEMPORARY TABLE held ON COMMIT DROP AS SELECT pg_current_xact_id()')
          return drain()
        })
      } finally {
        await holder.end()
      }
    }
    const figures = await interleave(rounds, { relay: drain, stock: produceStock, held })
    await producer.disconnect()
    await kafka.close()
    await pool.end()
    const ratio = pairedRatio(figures.relay, figures.stock)
    const heldRatio = pairedRatio(figures.held, figures.relay)
    return [
      {
        bench: 'relay',
        value: median(figures.relay),
        ceiling: median(figures.stock),
        ratio,
        unit: 'records/s',
        against: 'stock kafkajs from memory, same bytes',
        ask: { text: '>= 3.5', holds: ratio >= 3.5 },
      },
      {
        bench: 'relay.held',
        value: median(figures.held),
        ceiling: median(figures.relay),
        ratio: heldRatio,
        unit: 'records/s',
        against: 'without a writing transaction held open',
        ask: { text: '>= 0.95', holds: heldRatio >= 0.95 },
      },
    ]
  },
}

interface Message {
  readonly aggregateId: string
  readonly version: number
  readonly topic: string
  readonly record: Buffer
}

/** Many users, each with its versions in order, appended in transactions of 500 rows; answers what stock needs to send them. */
async function fill(
  rows: number,
  append: (messages: Message[]) => Promise<void>,
  codec: Awaited<ReturnType<typeof readyCodec>>,
) {
  const users = Math.min(USERS, rows)
  const current = Array.from(
    { length: users },
    (_, seed) => userCreated({ seed: seed + 1 }) as Parameters<typeof userUpdated>[0],
  )
  const sample: { partition: number; body: Buffer }[] = []
  let batch: Message[] = []
  for (let at = 0; at < rows; at++) {
    const index = at % users
    const event = at < users ? (current[index] as ReturnType<typeof userCreated>) : userUpdated(current[index])
    current[index] = event
    const record = encodeRecordBody({
      key: event.userId,
      value: codec.encode(event),
      headers: cloudEventHeaders(event, { source: '/bench' }),
    })
    if (sample.length < STOCK_RECORDS)
      sample.push({ partition: partitionOf(Buffer.from(event.userId), 12), body: record })
    batch.push({ aggregateId: event.userId, version: event.version, topic: userLifecycle.name, record })
    if (batch.length === 500 || at === rows - 1) {
      await append(batch)
      batch = []
    }
  }
  return sample
}
