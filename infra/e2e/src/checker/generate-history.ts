import type { UserLifecycleEvent } from '@rollcall/events'
import { history } from '@rollcall/events/testing'
import { partitionOf } from '@rollcall/kafka'
import { createRandom, type Random } from '../random.js'
import { canonicalJson, digestOf } from './digest.js'
import { expectedPerson } from './expected-person.js'
import type { TopicRecord, UserState } from './history.js'
import type { RecordedHistory } from './recorded-history.js'
import { userStateOf } from './user-state.js'

const PARTITIONS = 12
const DUPLICATES_PER_CENT = 5

/**
 * Makes a history as a right system would leave it: several versions a user, deletions and restorations, interleaved
 * users, some duplicates among them old after new, and a journal of answered, refused and unanswered requests.
 */
export function generateHistory({ users, seed }: { users: number; seed: number }): RecordedHistory {
  const random = createRandom(seed)
  const lives = Array.from({ length: users }, (_, index) =>
    history(random.between(1, 7), { seed: seed * 100_000 + index }),
  )
  const events = interleave(random, lives)
  const last = lives.map((life) => userStateOf((life[life.length - 1] as UserLifecycleEvent).user))
  last.sort((a, b) => (a.id < b.id ? -1 : 1))
  const somebody = (last[0] as UserState).id

  return {
    users: last,
    outbox: events.map((event, index) => ({
      id: index + 1,
      userId: event.userId,
      version: event.version,
      digest: digestOf(canonicalJson(event)),
    })),
    audit: events.map(({ eventId, userId, version }) => ({ id: `audit-${eventId}`, userId, version, outcome: 'done' })),
    topic: withDuplicates(random, records(events)),
    people: last.flatMap((user) => {
      const fields = expectedPerson(user)
      return fields ? [{ userId: user.id, fields }] : []
    }),
    applied: last.map(({ id, version }) => ({ userId: id, count: version })),
    counter: last.map(({ id, version }) => ({ userId: id, count: version })),
    journal: [
      ...events
        .slice(0, 100)
        .map(({ correlationId, userId, version }) => ({ correlationId, outcome: 'ok' as const, userId, version })),
      ...events
        .slice(100, 120)
        .map(({ correlationId, userId }) => ({ correlationId, outcome: 'unknown' as const, userId })),
      { correlationId: 'never-arrived', outcome: 'unknown', userId: somebody },
      { correlationId: 'refused', outcome: 'fail', userId: somebody },
    ],
    expectedPerson,
    partitionOf: (key) => partitionOf(Buffer.from(key), PARTITIONS),
  }
}

/** Merges the lives at random; the order within each life stays. */
function interleave(random: Random, lives: ReadonlyArray<readonly UserLifecycleEvent[]>): UserLifecycleEvent[] {
  const waiting = lives.map((life) => ({ life, next: 0 }))
  const merged: UserLifecycleEvent[] = []
  while (waiting.length > 0) {
    const index = random.between(0, waiting.length - 1)
    const one = waiting[index] as (typeof waiting)[number]
    merged.push(one.life[one.next++] as UserLifecycleEvent)
    if (one.next === one.life.length) waiting.splice(index, 1)
  }
  return merged
}

function records(events: readonly UserLifecycleEvent[]): TopicRecord[] {
  const next = new Array<number>(PARTITIONS).fill(0)
  return events.map((event) => {
    const { eventId, type, userId, version, correlationId, user } = event
    const partition = partitionOf(Buffer.from(userId), PARTITIONS)
    const offset = next[partition] ?? 0
    next[partition] = offset + 1
    return {
      partition,
      offset,
      key: userId,
      ceId: eventId,
      ceSequence: version,
      digest: digestOf(canonicalJson(event)),
      event: { eventId, type, userId, version, correlationId, user: userStateOf(user) },
    }
  })
}

/** Repeats some records, at once or much later, as a relay killed between sending and remembering does. */
function withDuplicates(random: Random, topic: readonly TopicRecord[]): TopicRecord[] {
  const repeated: TopicRecord[] = []
  const held: TopicRecord[] = []
  for (const record of topic) {
    repeated.push(record)
    if (random.next() * 100 < DUPLICATES_PER_CENT) repeated.push(record)
    if (random.next() * 100 < DUPLICATES_PER_CENT) held.push(record)
    if (held.length > 20) repeated.push(...held.splice(0))
  }
  return [...repeated, ...held]
}
