import { randomUUID } from 'node:crypto'
import type { Sql } from '@rollcall/database'
import { effectsOf } from '../apply-effects.js'
import type { ProjectedEvent, Projection } from '../define-projection.js'
import type { ProjectionStore } from '../projection-store.js'

export interface ProjectionTestOptions<E extends ProjectedEvent, Tx> {
  readonly projection: Projection<E, Tx>
  /** The store the service runs with, over a real database whose tables exist. */
  readonly store: ProjectionStore<Tx>
  /** To look at the rows afterwards. */
  readonly sql: Sql
}

/** What must be true of the read model; throws with what was found when it is not. */
export type Expectation = (sql: Sql) => Promise<void>

export interface ProjectionTest<E extends ProjectedEvent> {
  /** Events that were applied before. */
  given(...events: readonly E[]): ProjectionTest<E>
  /**
   * The event under test. With `times: 2` it is handled twice, the second time under another event id and past the
   * version check: what is proven is the handler, not the deduplication around it.
   */
  when(event: E, options?: { readonly times?: number }): ProjectionTest<E>
  /** Runs it all, each event in a transaction of its own, and checks. */
  then(...expectations: readonly Expectation[]): Promise<void>
}

/** Given/when/then for a projection, on a real database through its real transactions; each run begins with an empty read model. */
export function projectionTest<E extends ProjectedEvent, Tx>({ projection, store, sql }: ProjectionTestOptions<E, Tx>) {
  const effects = effectsOf(projection)
  const scenario = (events: readonly E[]): ProjectionTest<E> => ({
    given: (...more) => scenario([...events, ...more]),
    when: (event, { times = 1 } = {}) =>
      scenario([...events, event, ...Array.from({ length: times - 1 }, () => ({ ...event, eventId: randomUUID() }))]),
    // biome-ignore lint/suspicious/noThenProperty: given/when/then is the field's name for it, and it is never awaited itself.
    async then(...expectations) {
      await store.transaction((transaction) => effects.reset(transaction))
      for (const event of events) await store.transaction((transaction) => effects.apply([event], transaction))
      for (const expectation of expectations) await expectation(sql)
    },
  })
  return scenario([])
}

/** Exactly one row of the table matches `key`, or all of `columns` when there is no key, and has these values. */
export function row(table: string, columns: Readonly<Record<string, unknown>>): Expectation {
  return async (sql) => {
    const rows = await read(sql, table)
    const found = rows.filter((one) => matches(one, columns))
    if (found.length !== 1) {
      throw new Error(
        `expected one row of ${table} with ${show(columns)}, found ${found.length}; the table holds ${show(rows)}`,
      )
    }
  }
}

/** No row of the table has these values; no row at all without any. */
export function noRow(table: string, columns: Readonly<Record<string, unknown>> = {}): Expectation {
  return async (sql) => {
    const found = (await read(sql, table)).filter((one) => matches(one, columns))
    if (found.length > 0) throw new Error(`expected no row of ${table} with ${show(columns)}, found ${show(found)}`)
  }
}

type Row = Record<string, unknown>

async function read(sql: Sql, table: string): Promise<Row[]> {
  const { rows } = await sql.query<{ row: Row }>(`SELECT to_jsonb(t) AS row FROM ${table} t LIMIT 1000`)
  return rows.map(({ row: one }) => one)
}

const matches = (found: Row, wanted: Readonly<Record<string, unknown>>) =>
  Object.entries(wanted).every(([column, value]) => canonical(found[column]) === canonical(value))

// As the database shows values as JSON: key order is not part of a jsonb value.
function canonical(value: unknown): string {
  const plain: unknown = value instanceof Date ? value.toISOString().replace('Z', '+00:00').replace(/\.000/, '') : value
  if (Array.isArray(plain)) return `[${plain.map(canonical).join()}]`
  if (typeof plain !== 'object' || plain === null) return JSON.stringify(plain ?? null)
  const entries = Object.entries(plain).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, one]) => `${JSON.stringify(key)}:${canonical(one)}`).join()}}`
}

const show = (value: unknown) => JSON.stringify(value)
