import { cloudEventHeaders, type UserLifecycleEvent, userLifecycle } from '@rollcall/events'
import { userCreated, userUpdated } from '@rollcall/events/testing'
import { encodeRecordBody, type KafkaClient, partitionOf } from '@rollcall/kafka'
import { PARTITIONS, type readyCodec } from './bench-tools.js'

export const VERSIONS = 5

type Codec = Awaited<ReturnType<typeof readyCodec>>
type State = Parameters<typeof userUpdated>[0]

/** Puts users in five versions each on the topic; answers the last states of the first thousand. */
export async function fillTopic(kafka: KafkaClient, codec: Codec, users: number): Promise<readonly State[]> {
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
