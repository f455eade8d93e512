import { canonicalJson, digestOf } from './digest.js'
import type { History, JournalEntry, TopicRecord, UserState } from './history.js'
import { createViolations, type Violations } from './violation.js'

export interface Verdict {
  readonly counts: Counts
  readonly violations: Violations
}

export interface Counts {
  users: number
  /** Committed changes: the sum of all users' versions. */
  changes: number
  outboxRows: number
  auditEntries: number
  records: number
  /** Records that repeat an earlier one byte for byte: allowed, at least once. */
  duplicates: number
  /** Duplicates that arrived after a newer version of the same user: allowed, but a consumer that only upserts breaks on them. */
  oldAfterNew: number
  people: number
  /** Rows of all `applied` and `counters` sources. */
  consumerRows: number
  journalled: number
}

/**
 * Compares what the registry committed with what the topic, the read model and the audit trail hold.
 *
 * Reads every source once, as a stream. Keeps about 300 bytes a user and 40 bytes a change, nothing of a record.
 */
export async function checkHistory(history: History): Promise<Verdict> {
  const violations = createViolations()
  const counts: Counts = {
    users: 0,
    changes: 0,
    outboxRows: 0,
    auditEntries: 0,
    records: 0,
    duplicates: 0,
    oldAfterNew: 0,
    people: 0,
    consumerRows: 0,
    journalled: history.journal?.length ?? 0,
  }
  const check: Check = { history, violations, counts, trails: new Map() }

  await readModelEqualsFold(check)
  await everyOutboxRowHasItsChange(check)
  await everyAuditEntryHasItsChange(check)
  const answered = await everyRecordHasItsChange(check)
  everyChangeLeftItsTraces(check)
  everyAnswerWasKept(check, answered)
  for (const [name, rows] of history.applied) await versionsEqual(check, name, rows(), 'I4', 'applied version differs')
  for (const [name, rows] of history.counters) await versionsEqual(check, name, rows(), 'I5', 'effects counted differ')

  return { counts, violations }
}

interface Check {
  readonly history: History
  readonly violations: Violations
  readonly counts: Counts
  readonly trails: Map<string, Trail>
}

/** What is remembered of one user. Arrays are indexed by version - 1; a hole means "not seen". */
interface Trail {
  readonly version: number
  readonly state: number
  readonly outbox: number[]
  readonly audits: number[]
  readonly ids: number[]
  readonly digests: number[]
  lastOutbox: number
  partition: number
  /** The highest version delivered so far. */
  delivered: number
}

async function readModelEqualsFold({ history, violations, counts, trails }: Check): Promise<void> {
  const people = history.people()[Symbol.asyncIterator]()
  let person = await people.next()
  const surplus = async (before: string | undefined) => {
    while (!person.done && (before === undefined || person.value.userId < before)) {
      counts.people++
      violations.add('I4', 'person without a user', person.value.userId)
      person = await people.next()
    }
  }
  for await (const user of history.users()) {
    counts.users++
    counts.changes += user.version
    trails.set(user.id, newTrail(user))
    await surplus(user.id)
    const expected = history.expectedPerson(user)
    const found = !person.done && person.value.userId === user.id ? person.value : undefined
    if (found) {
      counts.people++
      person = await people.next()
    }
    if (expected && !found) violations.add('I4', 'person missing', user.id, { version: user.version })
    else if (!expected && found) violations.add('I4', 'person still there', user.id, { status: user.status })
    else if (expected && found) {
      const fields = differingFields(expected, found.fields)
      if (fields.length > 0) violations.add('I4', 'person differs', user.id, { fields, version: user.version })
    }
  }
  await surplus(undefined)
}

const newTrail = (user: UserState): Trail => ({
  version: user.version,
  state: digestOf(canonicalJson(user)),
  outbox: [],
  audits: [],
  ids: [],
  digests: [],
  lastOutbox: 0,
  partition: -1,
  delivered: 0,
})

/** Names of fields whose values differ; a field that only one side has differs unless it is null there. */
export function differingFields(
  expected: Readonly<Record<string, unknown>>,
  found: Readonly<Record<string, unknown>>,
): string[] {
  const names = new Set([...Object.keys(expected), ...Object.keys(found)])
  return [...names].filter((name) => canonicalJson(expected[name]) !== canonicalJson(found[name]))
}

async function everyOutboxRowHasItsChange({ history, violations, counts, trails }: Check): Promise<void> {
  for await (const row of history.outbox()) {
    counts.outboxRows++
    const trail = trails.get(row.userId)
    const evidence = { outboxId: row.id, version: row.version }
    if (!trail || row.version > trail.version || row.version < 1) {
      violations.add('I2', 'outbox row without a change', row.userId, { ...evidence, committed: trail?.version ?? 0 })
      continue
    }
    if (trail.outbox[row.version - 1] !== undefined) violations.add('I1', 'outbox row doubled', row.userId, evidence)
    // The relay orders by id: ids must be drawn under the user's row lock.
    if (row.version < trail.lastOutbox) violations.add('I3', 'outbox ids inverted', row.userId, evidence)
    trail.lastOutbox = row.version
    trail.outbox[row.version - 1] = row.digest
  }
}

async function everyAuditEntryHasItsChange({ history, violations, counts, trails }: Check): Promise<void> {
  for await (const entry of history.audit()) {
    counts.auditEntries++
    if (entry.outcome !== 'done') continue
    const { version } = entry
    const trail = trails.get(entry.userId)
    if (!trail || version === null || version < 1 || version > trail.version) {
      violations.add('G8', 'audit entry without a change', entry.userId, { auditId: entry.id, version })
      continue
    }
    trail.audits[version - 1] = (trail.audits[version - 1] ?? 0) + 1
  }
}

/** Versions seen on the topic, by the correlation id of a journalled request. */
type Answered = Map<string, Array<{ userId: string; version: number }>>

async function everyRecordHasItsChange(check: Check): Promise<Answered> {
  const answered: Answered = new Map(check.history.journal?.map(({ correlationId }) => [correlationId, []]))
  for await (const record of check.history.topic()) {
    check.counts.records++
    if (delivers(check, record)) {
      answered.get(record.event.correlationId)?.push({ userId: record.event.userId, version: record.event.version })
    }
  }
  return answered
}

/** True when the record is the first one of a committed change. */
function delivers({ history, violations, counts, trails }: Check, record: TopicRecord): boolean {
  const { event } = record
  const { userId, version } = event
  const evidence = { partition: record.partition, offset: record.offset, version }
  if (record.key !== userId || record.ceId !== event.eventId || record.ceSequence !== version) {
    violations.add('I3', 'headers or key contradict the event', userId, evidence)
  }
  if (record.partition !== history.partitionOf(record.key)) {
    violations.add('I3', 'wrong partition', userId, { ...evidence, belongs: history.partitionOf(record.key) })
  }
  const trail = trails.get(userId)
  if (!trail || version < 1 || version > trail.version) {
    violations.add('I2', 'event without a change', userId, { ...evidence, committed: trail?.version ?? 0 })
    return false
  }
  if (trail.partition === -1) trail.partition = record.partition
  else if (trail.partition !== record.partition) violations.add('I3', 'user in two partitions', userId, evidence)

  const at = version - 1
  const id = digestOf(record.ceId)
  if (trail.digests[at] !== undefined) {
    if (trail.ids[at] !== id) violations.add('I3', 'change published twice under two ids', userId, evidence)
    else if (trail.digests[at] !== record.digest) violations.add('I3', 'duplicate differs', userId, evidence)
    else {
      counts.duplicates++
      if (version < trail.delivered) counts.oldAfterNew++
    }
    return false
  }
  if (trail.ids.includes(id)) violations.add('I3', 'event id used for two changes', userId, evidence)
  if (version !== trail.delivered + 1) {
    violations.add('I3', version < trail.delivered ? 'inverted' : 'gap', userId, {
      ...evidence,
      after: trail.delivered,
    })
  }
  trail.delivered = Math.max(trail.delivered, version)
  trail.ids[at] = id
  trail.digests[at] = record.digest
  const committed = trail.outbox[at]
  if (committed !== undefined && committed !== record.digest) {
    violations.add('I2', 'record differs from its outbox row', userId, evidence)
  }
  if (version === trail.version && digestOf(canonicalJson(event.user)) !== trail.state) {
    violations.add('I2', 'last event differs from the committed user', userId, evidence)
  }
  return true
}

function everyChangeLeftItsTraces({ history, violations, trails }: Check): void {
  for (const [userId, trail] of trails) {
    for (let at = 0; at < trail.version; at++) {
      const evidence = { version: at + 1, committed: trail.version }
      if (trail.digests[at] === undefined) violations.add('I1', 'change not on the topic', userId, evidence)
      if (trail.outbox[at] === undefined && !history.outboxPruned) {
        violations.add('I1', 'change without an outbox row', userId, evidence)
      }
      const audits = trail.audits[at] ?? 0
      if (audits === 0) violations.add('G8', 'change without an audit entry', userId, evidence)
      if (audits > 1) violations.add('G8', 'change audited twice', userId, { ...evidence, audits })
    }
  }
}

function everyAnswerWasKept({ history, violations }: Check, answered: Answered): void {
  for (const entry of history.journal ?? []) {
    const made = answered.get(entry.correlationId) ?? []
    const evidence = { ...journalFacts(entry), made: made.length }
    if (made.length > 1) violations.add('I11', 'one request changed more than once', entry.userId, evidence)
    if (entry.outcome === 'fail' && made.length > 0) {
      violations.add('I11', 'refused request changed something', entry.userId, evidence)
    }
    const kept = made.some(({ userId, version }) => userId === entry.userId && version === entry.version)
    if (entry.outcome === 'ok' && !kept) violations.add('I11', 'answered change was lost', entry.userId, evidence)
  }
}

const journalFacts = ({ correlationId, outcome, version }: JournalEntry) => ({ correlationId, outcome, version })

async function versionsEqual(
  { violations, counts, trails }: Check,
  consumer: string,
  rows: AsyncIterable<{ userId: string; count: number }>,
  invariant: 'I4' | 'I5',
  rule: string,
): Promise<void> {
  const seen = new Set<string>()
  for await (const { userId, count } of rows) {
    counts.consumerRows++
    const version = trails.get(userId)?.version ?? 0
    if (seen.has(userId)) violations.add(invariant, 'consumer knows a user twice', userId, { consumer })
    seen.add(userId)
    if (count !== version) violations.add(invariant, rule, userId, { consumer, count, version })
  }
  for (const [userId, { version }] of trails) {
    if (!seen.has(userId)) violations.add(invariant, rule, userId, { consumer, count: 0, version })
  }
}
