export { type Counts, checkHistory, type Verdict } from './checker/check-history.js'
export type {
  AppliedRow,
  AuditRow,
  History,
  JournalEntry,
  OutboxRow,
  PersonRow,
  RecordedEvent,
  TopicRecord,
  UserState,
} from './checker/history.js'
export type { Invariant, Violation, Violations } from './checker/violation.js'
