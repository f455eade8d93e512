import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { encodeRecordBody } from '@rollcall/kafka'
import { appendToOutbox, outboxMigrations } from '@rollcall/outbox'
import { type RelayProcess, spawnRelay } from '@rollcall/outbox/testing'
import type { Bench } from '../bench.js'
import { type BenchDatabase, benchKafka, makeTopic, openBenchDatabase, until } from '../bench-tools.js'
import { median, quantile } from '../measure.js'

const KILLS = 60
const TOPIC = 'bench.failover.v1'
const CHANGES_PER_SECOND = 200
const ASK_MS = 3_000

export const failover: Bench = {
  name: 'failover',
  about: 'kill -9 of the leading relay, with its options of production, to the first row the standby shipped',
  async run({ stack, scale, log }) {
    const database = await openBenchDatabase(stack, 'bench_failover', [outboxMigrations], 8)
    const kafka = benchKafka(stack.kafka)
    await makeTopic(kafka, TOPIC)
    const writing = new AbortController()
    const writer = writeSteadily(database, writing.signal)
    const spawned = (number: number, onStep: (step: string) => void) =>
      spawnRelay({ databaseUrl: database.url, brokers: stack.kafka, name: `relay ${number}` }, onStep)
    const alive: RelayProcess[] = []
    const tookMs: number[] = []
    try {
      const kills = Math.max(5, Math.round(KILLS * scale))
      let shippedAtMs = 0
      let leader = spawned(0, () => {})
      alive.push(leader)
      await until('the first relay ships', () => leader.seen('relay.sent') > 0)
      for (let kill = 1; kill <= kills; kill++) {
        const standby = spawned(kill, (step) => {
          if (step === 'relay.sent' && shippedAtMs === 0) shippedAtMs = performance.now()
        })
        alive.push(standby)
        await until('the standby is there', async () => (await present(database)) === 2)
        // Anywhere in the standby's interval, and in the leader's batch.
        await delay(Math.random() * 500)
        shippedAtMs = 0
        const killedAtMs = performance.now()
        leader.kill('SIGKILL')
        await until('the standby ships', () => shippedAtMs > 0)
        tookMs.push(shippedAtMs - killedAtMs)
        leader = standby
        if (kill % 10 === 0) log(`${kill} kills, median ${median(tookMs).toFixed(0)} ms so far`)
      }
      const repeats = await countRepeats(kafka)
      const p99 = quantile(tookMs, 0.99)
      return [
        { bench: 'failover p50', value: median(tookMs), unit: 'ms', against: `${tookMs.length} kills` },
        {
          bench: 'failover p99',
          value: p99,
          unit: 'ms',
          against: `absolute; the longest ${Math.max(...tookMs).toFixed(0)} ms`,
          ask: { text: `<= ${ASK_MS} ms`, holds: p99 <= ASK_MS },
        },
        {
          bench: 'failover order',
          value: repeats,
          unit: 'records',
          against: 'repeated, or out of order',
          ask: { text: '0', holds: repeats === 0 },
        },
      ]
    } finally {
      writing.abort()
      await writer
      await Promise.all(alive.map((relay) => relay.close()))
      await kafka.close()
      await database.pool.end()
    }
  },
}

/** One change after the other of a few aggregates, each a transaction. */
async function writeSteadily({ pool }: BenchDatabase, signal: AbortSignal): Promise<void> {
  const ids = Array.from({ length: 50 }, () => randomUUID())
  for (let change = 0; !signal.aborted; change++) {
    const id = ids[change % ids.length] as string
    const version = Math.floor(change / ids.length) + 1
    const record = encodeRecordBody({ key: id, value: 'changed', headers: { ce_sequence: String(version) } })
    await appendToOutbox(pool, [{ aggregateId: id, version, topic: TOPIC, record }])
    await delay(1_000 / CHANGES_PER_SECOND)
  }
}

async function present({ pool }: BenchDatabase): Promise<number> {
  const { rows } = await pool.query<{ count: string }>(
    `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND mode = 'ShareLock'`,
  )
  return Number(rows[0]?.count)
}

/** Records that are not the next version of their key. */
async function countRepeats(kafka: ReturnType<typeof benchKafka>): Promise<number> {
  const newest = new Map<string, number>()
  let wrong = 0
  await kafka.readTopic({
    topic: TOPIC,
    onBatch: ({ records }) => {
      for (const { key, headers } of records) {
        const version = Number(headers.ce_sequence)
        if (version !== (newest.get(String(key)) ?? 0) + 1) wrong++
        newest.set(String(key), version)
      }
    },
  })
  return wrong
}
