import { partitionOf } from '@rollcall/kafka'
import { createRandom, type Random } from '../random.js'
import { canonicalJson, digestOf } from './digest.js'
import { expectedPerson } from './expected-person.js'
import type { RecordedEvent, TopicRecord, UserState } from './history.js'
import type { RecordedHistory } from './recorded-history.js'

const PARTITIONS = 12
const DUPLICATES_PER_CENT = 5

/**
 * Makes a history as a right system would leave it: several versions a user, deletions and restorations, interleaved
 * partitions, some duplicates among them old after new, and a journal of answered, refused and unanswered requests.
 */
export function generateHistory({ users, seed }: { users: number; seed: number }): RecordedHistory {
  const random = createRandom(seed)
  const lives = Array.from({ length: users }, (_, index) => life(random, index))
  const events = interleave(random, lives)
  const last = lives.map((life) => (life[life.length - 1] as RecordedEvent).user)
  last.sort((a, b) => (a.id < b.id ? -1 : 1))

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
      ...events.slice(0, 100).map(({ correlationId, userId, version }) => ({
        correlationId,
        outcome: 'ok' as const,
        userId,
        version,
      })),
      ...events
        .slice(100, 120)
        .map(({ correlationId, userId }) => ({ correlationId, outcome: 'unknown' as const, userId })),
      { correlationId: 'never-arrived', outcome: 'unknown', userId: (last[0] as UserState).id },
      { correlationId: 'refused', outcome: 'fail', userId: (last[0] as UserState).id },
    ],
    expectedPerson,
    partitionOf: (key) => partitionOf(Buffer.from(key), PARTITIONS),
  }
}

function life(random: Random, index: number): RecordedEvent[] {
  const id = uuid(random)
  const created = new Date(Date.UTC(2026, 0, 1) + index * 1000).toISOString()
  let user: UserState = {
    id,
    tenantId: 'default',
    userName: `user${index}`,
    emails: [{ value: `user${index}@example.org`, type: 'work', primary: true }],
    name: { given: 'User', family: `Number ${index}`, display: null },
    phone: null,
    locale: 'en',
    timezone: null,
    attributes: { team: index % 7 },
    status: 'active',
    version: 1,
    createdAt: created,
    updatedAt: created,
    deletedAt: null,
    purgeAt: null,
  }
  const events = [eventOf(random, 'UserCreated', user)]
  for (let more = random.between(0, 6); more > 0; more--) {
    const [type, change] = nextChange(random, user)
    user = { ...user, ...change, version: user.version + 1, updatedAt: later(user.updatedAt, 1) }
    events.push(eventOf(random, type, user))
  }
  return events
}

function nextChange(random: Random, user: UserState): [string, Partial<UserState>] {
  if (user.status === 'deleted') return ['UserRestored', { status: 'active', deletedAt: null, purgeAt: null }]
  if (user.status === 'suspended') return ['UserReactivated', { status: 'active' }]
  const dice = random.next()
  if (dice < 0.15) {
    return ['UserDeleted', { status: 'deleted', deletedAt: user.updatedAt, purgeAt: later(user.updatedAt, 86_400) }]
  }
  if (dice < 0.3) return ['UserSuspended', { status: 'suspended' }]
  return [
    'UserUpdated',
    { name: { given: `Given ${user.version}`, family: user.name?.family ?? null, display: null }, phone: '+4930' },
  ]
}

const later = (time: string, seconds: number) => new Date(Date.parse(time) + seconds * 1000).toISOString()

const eventOf = (random: Random, type: string, user: UserState): RecordedEvent => ({
  eventId: uuid(random),
  type,
  userId: user.id,
  version: user.version,
  correlationId: uuid(random),
  user,
})

/** Merges the lives at random; the order within each life stays. */
function interleave(random: Random, lives: readonly RecordedEvent[][]): RecordedEvent[] {
  const waiting = lives.map((life) => ({ life, next: 0 }))
  const merged: RecordedEvent[] = []
  while (waiting.length > 0) {
    const index = random.between(0, waiting.length - 1)
    const one = waiting[index] as (typeof waiting)[number]
    merged.push(one.life[one.next++] as RecordedEvent)
    if (one.next === one.life.length) waiting.splice(index, 1)
  }
  return merged
}

function records(events: readonly RecordedEvent[]): TopicRecord[] {
  const next = new Array<number>(PARTITIONS).fill(0)
  return events.map((event) => {
    const partition = partitionOf(Buffer.from(event.userId), PARTITIONS)
    const offset = next[partition] ?? 0
    next[partition] = offset + 1
    return {
      partition,
      offset,
      key: event.userId,
      ceId: event.eventId,
      ceSequence: event.version,
      digest: digestOf(canonicalJson(event)),
      event,
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

function uuid(random: Random): string {
  const hex = Array.from({ length: 32 }, () => random.between(0, 15).toString(16)).join('')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`
}
