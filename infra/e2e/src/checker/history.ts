/** A user's whole state in one form for all sources: sorted keys are the digest's business, times are ISO 8601, absent is null. */
export interface UserState {
  readonly id: string
  readonly tenantId: string
  readonly userName: string
  readonly emails: readonly EmailState[]
  readonly name: NameState | null
  readonly phone: string | null
  readonly locale: string | null
  readonly timezone: string | null
  readonly attributes: unknown
  readonly status: string
  readonly version: number
  readonly createdAt: string
  readonly updatedAt: string
  readonly deletedAt: string | null
  readonly purgeAt: string | null
}

export interface EmailState {
  readonly value: string
  readonly type: string | null
  readonly primary: boolean
}

export interface NameState {
  readonly given: string | null
  readonly family: string | null
  readonly display: string | null
}

/** A row of the registry's outbox; `digest` covers key, value and headers of the record it holds. */
export interface OutboxRow {
  readonly id: number
  readonly userId: string
  readonly version: number
  readonly digest: number
}

/** A row of the registry's audit trail about a user. */
export interface AuditRow {
  readonly id: string
  readonly userId: string
  readonly version: number | null
  readonly outcome: string
}

/** One record of the users topic, read from the log. */
export interface TopicRecord {
  readonly partition: number
  readonly offset: number
  readonly key: string
  readonly ceId: string
  readonly ceSequence: number
  /** Covers key, value and headers, as `OutboxRow.digest` does. */
  readonly digest: number
  readonly event: RecordedEvent
}

export interface RecordedEvent {
  readonly eventId: string
  readonly type: string
  readonly userId: string
  readonly version: number
  readonly correlationId: string
  readonly user: UserState
}

/** A row of the directory's read model, as plain columns. */
export interface PersonRow {
  readonly userId: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** What a consumer says it has applied: its recorded version of one user, or a counter's count of effects. */
export interface AppliedRow {
  readonly userId: string
  readonly count: number
}

/**
 * What a client knows about one request it sent: `ok` was answered with success, `fail` with a refusal that promises
 * no effect, `unknown` got no answer (a timeout, a reset): the change may or may not have been made.
 */
export interface JournalEntry {
  readonly correlationId: string
  readonly outcome: 'ok' | 'fail' | 'unknown'
  readonly userId: string
  /** The version the answer named; only with `ok`. */
  readonly version?: number
}

/**
 * Everything the checker looks at. Sources are functions because each is read once as a stream, in the order the
 * checker needs; the system must be quiet meanwhile. `users` and `people` come ordered by user id, `outbox` by id,
 * `topic` in offset order within each partition.
 */
export interface History {
  readonly users: () => AsyncIterable<UserState>
  readonly outbox: () => AsyncIterable<OutboxRow>
  readonly audit: () => AsyncIterable<AuditRow>
  readonly topic: () => AsyncIterable<TopicRecord>
  readonly people: () => AsyncIterable<PersonRow>
  /** The row the read model must hold for a user; undefined when it must hold none. */
  readonly expectedPerson: (user: UserState) => Readonly<Record<string, unknown>> | undefined
  /** The partition a key belongs to. */
  readonly partitionOf: (key: string) => number
  /** Versions recorded by consumers, by a name for the table: each must equal the registry's version. */
  readonly applied: ReadonlyMap<string, () => AsyncIterable<AppliedRow>>
  /** Effects counted by consumers, by a name for the table: each must equal the registry's version. */
  readonly counters: ReadonlyMap<string, () => AsyncIterable<AppliedRow>>
  readonly journal?: readonly JournalEntry[]
  /** True when retention has dropped old outbox partitions: missing outbox rows are then no violation. @default false */
  readonly outboxPruned?: boolean
}
