import { digestOf } from './digest.js'
import type { AuditRow, OutboxRow, PersonRow, TopicRecord, UserState } from './history.js'
import type { RecordedHistory } from './recorded-history.js'
import type { Invariant } from './violation.js'

/** One known way to be wrong: what it breaks in a true history, and the rule that must catch it. */
export interface SeededFault {
  readonly name: string
  readonly invariant: Invariant
  readonly rule: string
  /** Breaks the (private copy of the) history in one place. */
  seed(history: RecordedHistory): void
}

/** The faults a relay, a consumer or the registry could really have. The victim in each is any user that qualifies. */
export const seededFaults: readonly SeededFault[] = [
  {
    name: 'a record in the middle is lost',
    invariant: 'I1',
    rule: 'change not on the topic',
    seed: ({ topic, users }) => remove(topic, at(topic, changed(users), 2)),
  },
  {
    name: 'the last version is lost',
    invariant: 'I1',
    rule: 'change not on the topic',
    seed({ topic, users }) {
      const user = changed(users)
      remove(topic, at(topic, user, user.version))
    },
  },
  {
    name: 'every record of a user is lost',
    invariant: 'I1',
    rule: 'change not on the topic',
    seed({ topic, users }) {
      const { id } = changed(users)
      for (const record of topic.filter(({ event }) => event.userId === id)) remove(topic, record)
    },
  },
  {
    name: 'an outbox row is missing',
    invariant: 'I1',
    rule: 'change without an outbox row',
    seed: ({ outbox, users }) => remove(outbox, outboxAt(outbox, changed(users), 2)),
  },
  {
    name: 'a record of a user nobody created',
    invariant: 'I2',
    rule: 'event without a change',
    seed({ topic, users }) {
      const record = at(topic, changed(users), 1)
      const userId = '0192ffff-ffff-7fff-bfff-ffffffffffff'
      topic.push({ ...record, key: userId, event: { ...record.event, userId } })
    },
  },
  {
    name: 'the event of a rolled-back change (one version too many)',
    invariant: 'I2',
    rule: 'event without a change',
    seed({ topic, users }) {
      const user = changed(users)
      const record = at(topic, user, user.version)
      const version = user.version + 1
      topic.push({ ...renamed(record), ceSequence: version, event: { ...renamed(record).event, version } })
    },
  },
  {
    name: 'the event of a rolled-back change (in the place of the committed one)',
    invariant: 'I2',
    rule: 'record differs from its outbox row',
    seed: ({ topic, users }) => replace(topic, at(topic, changed(users), 2), (record) => renamed(record)),
  },
  {
    name: 'the last event carries another state than the one committed',
    invariant: 'I2',
    rule: 'last event differs from the committed user',
    seed({ topic, users }) {
      const user = changed(users)
      replace(topic, at(topic, user, user.version), (record) => ({
        ...record,
        event: { ...record.event, user: { ...record.event.user, locale: 'xx' } },
      }))
    },
  },
  {
    name: 'an outbox row of a change that never was',
    invariant: 'I2',
    rule: 'outbox row without a change',
    seed({ outbox, users }) {
      const user = changed(users)
      outbox.push({ ...outboxAt(outbox, user, 1), id: outbox.length + 1, version: user.version + 1 })
    },
  },
  {
    name: 'a change is published twice under two ids',
    invariant: 'I3',
    rule: 'change published twice under two ids',
    seed: ({ topic, users }) => after(topic, at(topic, changed(users), 2), renamed),
  },
  {
    name: 'two versions are inverted',
    invariant: 'I3',
    rule: 'inverted',
    seed({ topic, users }) {
      const [second, third] = [at(topic, changed(users), 2), at(topic, changed(users), 3)]
      const [i, j] = [topic.indexOf(second), topic.indexOf(third)]
      topic[i] = { ...third, offset: second.offset }
      topic[j] = { ...second, offset: third.offset }
    },
  },
  {
    name: 'a record stands in the wrong partition',
    invariant: 'I3',
    rule: 'wrong partition',
    seed: ({ topic, users }) =>
      replace(topic, at(topic, changed(users), 2), (record) => ({ ...record, partition: (record.partition + 1) % 12 })),
  },
  {
    name: 'a duplicate has other bytes than the original',
    invariant: 'I3',
    rule: 'duplicate differs',
    seed: ({ topic, users }) =>
      after(topic, at(topic, changed(users), 2), (record) => ({ ...record, digest: record.digest + 1 })),
  },
  {
    name: 'the sequence header lies',
    invariant: 'I3',
    rule: 'headers or key contradict the event',
    seed: ({ topic, users }) =>
      replace(topic, at(topic, changed(users), 2), (record) => ({ ...record, ceSequence: record.ceSequence + 1 })),
  },
  {
    name: 'outbox ids were drawn in the wrong order',
    invariant: 'I3',
    rule: 'outbox ids inverted',
    seed({ outbox, users }) {
      const [second, third] = [outboxAt(outbox, changed(users), 2), outboxAt(outbox, changed(users), 3)]
      const [i, j] = [outbox.indexOf(second), outbox.indexOf(third)]
      outbox[i] = third
      outbox[j] = second
    },
  },
  {
    name: 'a read-model row is stale',
    invariant: 'I4',
    rule: 'person differs',
    seed({ people, topic, users, expectedPerson }) {
      const user = changed(users)
      const older = expectedPerson(at(topic, user, user.version - 1).event.user)
      replace(people, personOf(people, user), (row) => ({ ...row, fields: older ?? {} }))
    },
  },
  {
    name: 'one field of a read-model row is wrong',
    invariant: 'I4',
    rule: 'person differs',
    seed: ({ people, users }) =>
      replace(people, personOf(people, changed(users)), (row) => {
        const [name] = Object.keys(row.fields).slice(-1)
        return { ...row, fields: { ...row.fields, [name as string]: 'wrong' } }
      }),
  },
  {
    name: 'a read-model row is missing',
    invariant: 'I4',
    rule: 'person missing',
    seed: ({ people, users }) => remove(people, personOf(people, changed(users))),
  },
  {
    name: 'a deleted user is back in the read model',
    invariant: 'I4',
    rule: 'person still there',
    seed({ people, topic, users, expectedPerson }) {
      const user = deleted(users)
      const alive = expectedPerson(at(topic, user, user.version - 1).event.user)
      people.push({ userId: user.id, fields: alive ?? {} })
      people.sort((a, b) => (a.userId < b.userId ? -1 : 1))
    },
  },
  {
    name: 'the read model holds somebody the registry never had',
    invariant: 'I4',
    rule: 'person without a user',
    seed: ({ people }) => people.push({ userId: 'ffffffff-ffff-7fff-bfff-ffffffffffff', fields: {} }),
  },
  {
    name: 'the applied version runs ahead',
    invariant: 'I4',
    rule: 'applied version differs',
    seed: ({ applied, users }) => shift(applied, changed(users), 1),
  },
  {
    name: 'the applied version is behind',
    invariant: 'I4',
    rule: 'applied version differs',
    seed: ({ applied, users }) => shift(applied, changed(users), -1),
  },
  {
    name: 'an effect happened twice (counter one too high)',
    invariant: 'I5',
    rule: 'effects counted differ',
    seed: ({ counter, users }) => shift(counter, changed(users), 1),
  },
  {
    name: 'an effect was lost (counter one too low)',
    invariant: 'I5',
    rule: 'effects counted differ',
    seed: ({ counter, users }) => shift(counter, changed(users), -1),
  },
  {
    name: 'an audit entry is missing',
    invariant: 'G8',
    rule: 'change without an audit entry',
    seed: ({ audit, users }) => remove(audit, auditAt(audit, changed(users), 2)),
  },
  {
    name: 'a change has two audit entries',
    invariant: 'G8',
    rule: 'change audited twice',
    seed: ({ audit, users }) => after(audit, auditAt(audit, changed(users), 2), (row) => ({ ...row, id: 'again' })),
  },
  {
    name: 'an audit entry tells of a change that never was',
    invariant: 'G8',
    rule: 'audit entry without a change',
    seed({ audit, users }) {
      const user = changed(users)
      after(audit, auditAt(audit, user, 1), (row) => ({ ...row, id: 'more', version: user.version + 1 }))
    },
  },
  {
    name: 'a change that was answered with success is nowhere',
    invariant: 'I11',
    rule: 'answered change was lost',
    seed: ({ journal, users }) =>
      journal.push({ correlationId: 'lost', outcome: 'ok', userId: changed(users).id, version: 2 }),
  },
  {
    name: 'a refused request changed something all the same',
    invariant: 'I11',
    rule: 'refused request changed something',
    seed({ journal }) {
      const answered = journal.find(({ outcome }) => outcome === 'ok') ?? none('answered request')
      replace(journal, answered, (entry) => ({ ...entry, outcome: 'fail' as const }))
    },
  },
  {
    name: 'one request changed a user twice',
    invariant: 'I11',
    rule: 'one request changed more than once',
    seed({ topic, journal, users }) {
      const user = changed(users)
      const [second, third] = [at(topic, user, 2), at(topic, user, 3)]
      journal.push({ correlationId: second.event.correlationId, outcome: 'unknown', userId: user.id })
      replace(topic, third, (record) => ({
        ...record,
        event: { ...record.event, correlationId: second.event.correlationId },
      }))
    },
  },
]

/** A living user with at least three versions, the last of which changed the read model. */
function changed(users: readonly UserState[]): UserState {
  return users.find(({ version, status }) => version >= 4 && status === 'active') ?? none('changed user')
}

function deleted(users: readonly UserState[]): UserState {
  return users.find(({ status, version }) => status === 'deleted' && version > 1) ?? none('deleted user')
}

const at = (topic: readonly TopicRecord[], user: UserState, version: number) =>
  topic.find(({ event }) => event.userId === user.id && event.version === version) ?? none('record')

const outboxAt = (outbox: readonly OutboxRow[], user: UserState, version: number) =>
  outbox.find((row) => row.userId === user.id && row.version === version) ?? none('outbox row')

const auditAt = (audit: readonly AuditRow[], user: UserState, version: number) =>
  audit.find((row) => row.userId === user.id && row.version === version) ?? none('audit entry')

const personOf = (people: readonly PersonRow[], user: UserState) =>
  people.find(({ userId }) => userId === user.id) ?? none('person')

function renamed(record: TopicRecord): TopicRecord {
  const ceId = `${record.ceId.slice(0, -4)}beef`
  return { ...record, ceId, digest: digestOf(ceId), event: { ...record.event, eventId: ceId } }
}

function remove<T>(rows: T[], row: T): void {
  rows.splice(rows.indexOf(row), 1)
}

function replace<T>(rows: T[], row: T, by: (row: T) => T): void {
  rows[rows.indexOf(row)] = by(row)
}

function after<T>(rows: T[], row: T, more: (row: T) => T): void {
  rows.splice(rows.indexOf(row) + 1, 0, more(row))
}

function shift(rows: Array<{ userId: string; count: number }>, user: UserState, by: number): void {
  const row = rows.find(({ userId }) => userId === user.id) ?? none('consumer row')
  rows[rows.indexOf(row)] = { ...row, count: row.count + by }
}

function none(what: string): never {
  throw new Error(`The generated history has no ${what} to seed the fault in.`)
}
