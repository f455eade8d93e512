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

/** A history held in arrays, small enough to be copied and broken. */
export interface RecordedHistory {
  readonly users: UserState[]
  readonly outbox: OutboxRow[]
  readonly audit: AuditRow[]
  readonly topic: TopicRecord[]
  readonly people: PersonRow[]
  readonly applied: AppliedRow[]
  readonly counter: AppliedRow[]
  readonly journal: JournalEntry[]
  readonly expectedPerson: History['expectedPerson']
  readonly partitionOf: History['partitionOf']
}

/** A copy whose arrays can be changed; rows are shared, replace them. */
export function copyOf(history: RecordedHistory): RecordedHistory {
  return {
    ...history,
    users: [...history.users],
    outbox: [...history.outbox],
    audit: [...history.audit],
    topic: [...history.topic],
    people: [...history.people],
    applied: [...history.applied],
    counter: [...history.counter],
    journal: [...history.journal],
  }
}

/** The history as the checker reads it. */
export function asHistory(recorded: RecordedHistory): History {
  return {
    users: () => stream(recorded.users),
    outbox: () => stream(recorded.outbox),
    audit: () => stream(recorded.audit),
    topic: () => stream(recorded.topic),
    people: () => stream(recorded.people),
    applied: new Map([['people', () => stream(recorded.applied)]]),
    counters: new Map([['counter', () => stream(recorded.counter)]]),
    journal: recorded.journal,
    expectedPerson: recorded.expectedPerson,
    partitionOf: recorded.partitionOf,
  }
}

async function* stream<T>(rows: readonly T[]): AsyncIterable<T> {
  yield* rows
}
