import { encodeRecordBody } from '@rollcall/kafka'
import { appendOutboxSql } from '@rollcall/outbox'

export type PeerName = 'rollcall' | 'debezium' | 'poller'

/** The header that carries an aggregate's version, the same for every peer. */
export const VERSION_HEADER = 'ce_sequence'

/** How a peer wants a message stored; what comes out in Kafka is the same record: key, value, version in a header. */
export interface OutboxForm {
  /** Made on top of `subject`; Rollcall's own tables come from its migrations. */
  readonly tables: readonly string[]
  /** The INSERT fed by a SELECT that yields `id uuid, version bigint, bytes bytea`, in order. */
  insertFrom(source: string): string
  /** What to store as `bytes`. */
  bytesOf(key: string, version: number, value: Buffer): Buffer
}

/** The aggregates whose versions are counted up; every peer's database has them. */
export const SUBJECT_TABLES = [
  'CREATE TABLE subject (id uuid PRIMARY KEY, version bigint NOT NULL) WITH (fillfactor = 50)',
  'CREATE TABLE elsewhere (at timestamptz)',
]

export const topicOf = (name: PeerName) => `peers.${name}`

export const outboxForms: Readonly<Record<PeerName, OutboxForm>> = {
  rollcall: {
    tables: [],
    insertFrom: (source) =>
      appendOutboxSql(`SELECT id, version, '${topicOf('rollcall')}', bytes FROM (${source}) AS m`),
    bytesOf: (key, version, value) =>
      encodeRecordBody({ key, value, headers: { id: key, [VERSION_HEADER]: String(version) } }),
  },
  // The columns the outbox event router expects by its documentation, and the version beside them.
  debezium: {
    tables: [
      `CREATE TABLE outbox (id uuid PRIMARY KEY, aggregatetype varchar(255) NOT NULL, aggregateid varchar(255) NOT NULL,
         type varchar(255) NOT NULL, payload bytea NOT NULL, version bigint NOT NULL)`,
    ],
    insertFrom: (source) => `INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, version)
      SELECT gen_random_uuid(), 'user', id::text, 'UserUpdated', bytes, version FROM (${source}) AS m`,
    bytesOf: (_key, _version, value) => value,
  },
  poller: {
    tables: [
      `CREATE TABLE outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text NOT NULL, version bigint NOT NULL,
         value bytea NOT NULL)`,
    ],
    insertFrom: (source) =>
      `INSERT INTO outbox (key, version, value) SELECT id::text, version, bytes FROM (${source}) AS m`,
    bytesOf: (_key, _version, value) => value,
  },
}

/** The id of an aggregate; its first digit names the phase that wrote it. */
export const subjectId = (phase: Phase, index: number) =>
  `${PHASES.indexOf(phase)}0000000-0000-4000-8000-${index.toString(16).padStart(12, '0')}`

export const phaseOf = (key: string) => PHASES[key.charCodeAt(0) - 48]

export const PHASES = ['drain', 'steady', 'hot', 'kills'] as const
export type Phase = (typeof PHASES)[number]
