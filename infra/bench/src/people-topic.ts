import type { Pool } from '@rollcall/database'
import { directoryMigrations } from '@rollcall/directory'
import { cloudEventHeaders, type UserLifecycleEvent, userLifecycle } from '@rollcall/events'
import { userCreated, userUpdated } from '@rollcall/events/testing'
import { encodeRecordBody, type KafkaClient, partitionOf } from '@rollcall/kafka'
import type { BenchStack } from './bench-stack.js'
import { benchKafka, makeTopic, openBenchDatabase, PARTITIONS, readyCodec } from './bench-tools.js'

export const VERSIONS = 5

type Codec = Awaited<ReturnType<typeof readyCodec>>
type State = Parameters<typeof userUpdated>[0]

/** The directory's empty database, and a topic with users in five versions each. */
export interface PeopleTopic {
  readonly pool: Pool
  readonly kafka: KafkaClient
  readonly codec: Codec
  readonly users: number
  readonly events: number
  /** The last states of the first thousand. */
  readonly states: readonly State[]
  close(): Promise<void>
}

/** Fills the stack's topic. @param database a name for the directory's database */
export async function openPeopleTopic(
  stack: BenchStack,
  { database, users, log }: { database: string; users: number; log: (line: string) => void },
): Promise<PeopleTopic> {
  const { pool } = await openBenchDatabase(stack, database, directoryMigrations)
  const codec = await readyCodec(stack.schemaRegistry)
  const kafka = benchKafka(stack.kafka)
  await makeTopic(kafka)
  const states = await fillTopic(kafka, codec, users)
  const events = users * VERSIONS
  log(`${events} events of ${users} users on the topic`)
  return {
    ...{ pool, kafka, codec, users, events, states },
    async close() {
      await kafka.close()
      await pool.end()
    },
  }
}

/** Reads and decodes every event of the topic and does nothing with it. @throws Error unless there are `events` */
export async function decodeTopic(kafka: KafkaClient, codec: Codec, events: number): Promise<void> {
  let decoded = 0
  await kafka.readTopic({
    topic: userLifecycle.name,
    async onBatch({ records }) {
      for (const { value } of records) {
        const event = codec.decode(value as Buffer)
        if (event instanceof Promise) await event
        decoded++
      }
    },
  })
  if (decoded !== events) throw new Error(`decoded ${decoded} of ${events} events`)
}

/** Puts users in five versions each on the topic; answers the last states of the first thousand. */
async function fillTopic(kafka: KafkaClient, codec: Codec, users: number): Promise<readonly State[]> {
  const producer = kafka.producer()
  let kept: readonly State[] = []
  // A thousand users at a time, so that versions of one user are spread over the log as in life.
  for (let first = 0; first < users; first += 1_000) {
    let states = Array.from(
      { length: Math.min(1_000, users - first) },
      (_, at) => userCreated({ seed: first + at + 1 }) as State,
    )
    for (let version = 1; version <= VERSIONS; version++) {
      if (version > 1) states = states.map((state) => userUpdated(state))
      await producer.send(
        userLifecycle.name,
        states.map((state) => recordOf(state as UserLifecycleEvent, codec)),
      )
    }
    if (first === 0) kept = states
  }
  await producer.close()
  return kept
}

/** The event as the relay would send it. */
export function recordOf(event: UserLifecycleEvent, codec: Codec) {
  const headers = cloudEventHeaders(event, { source: '/bench' })
  const body = encodeRecordBody({ key: event.userId, value: codec.encode(event), headers })
  return { partition: partitionOf(Buffer.from(event.userId), PARTITIONS), body, timestampMs: Date.now() }
}
