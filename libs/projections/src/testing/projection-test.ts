import { randomUUID } from 'node:crypto'
import type { Sql } from '@rollcall/database'
import { effectsOf, HandlerFailure } from '../apply/apply-effects.js'
import type { ProjectedEvent, Projection } from '../define-projection.js'
import type { ProjectionStore } from '../store/projection-store.js'

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
  const scenario = (steps: readonly Step<E>[]): ProjectionTest<E> => ({
    given: (...events) => scenario([...steps, ...events.map((event) => ({ event, role: 'given' }))]),
    when: (event, { times = 1 } = {}) =>
      scenario([
        ...steps,
        ...Array.from({ length: times }, (_, time) =>
          time === 0
            ? { event, role: 'when' }
            : { event: { ...event, eventId: randomUUID() }, role: `repeat ${time} of the same change` },
        ),
      ]),
    // biome-ignore lint/suspicious/noThenProperty: given/when/then is the field's name for it, and awaiting it half-way is refused.
    async then(...expectations) {
      const reject = rejecterOf(expectations)
      if (reject !== undefined) return reject(new TypeError(AWAITED_HALF_WAY))
      await store.transaction((transaction) => effects.reset(transaction))
      for (const { event, role } of steps) {
        try {
          await store.transaction((transaction) => effects.apply([event], transaction, []))
        } catch (error) {
          const cause = error instanceof HandlerFailure ? error.cause : error
          const { type, version } = event
          const reason = cause instanceof Error ? cause.message : String(cause)
          throw new Error(`projection '${projection.name}' failed on ${type} version ${version} (${role}): ${reason}`, {
            cause,
          })
        }
      }
      for (const expectation of expectations) await expectation(sql)
    },
  })
  return scenario([])
}

interface Step<E> {
  readonly event: E
  readonly role: string
}

const AWAITED_HALF_WAY = 'A scenario is not a promise: end it with .then(row(…)) or .then(noRow(…)), then await that.'

// `await scenario` calls then() with the two native functions of its promise.
function rejecterOf(expectations: readonly unknown[]): ((error: Error) => void) | undefined {
  const [, reject] = expectations
  const isNative = typeof reject === 'function' && /\[native code\]/.test(Function.prototype.toString.call(reject))
  return isNative ? (reject as (error: Error) => void) : undefined
}

/** Exactly one row of the table has these values. */
export function row(table: string, columns: Readonly<Record<string, unknown>>): Expectation {
  return async (sql) => {
    const rows = await read(sql, table)
    const found = rows.filter((one) => differences(one, columns).length === 0)
    if (found.length === 1) return
    if (found.length > 1)
      throw new Error(`expected one row of ${table} with ${show(columns)}, found ${found.length}: ${list(found)}`)
    const nearest = rows
      .map((one) => differences(one, columns))
      .sort((a, b) => a.length - b.length)
      .at(0)
    const hint =
      nearest === undefined
        ? 'the table is empty'
        : `it holds ${rows.length}, the nearest differs in ${nearest.map(({ column, wanted, found: is }) => `${column}: expected ${wanted}, found ${is}`).join('; ')}`
    throw new Error(`expected one row of ${table} with ${show(columns)}, found none; ${hint}`)
  }
}

/** No row of the table has these values; no row at all without any. */
export function noRow(table: string, columns: Readonly<Record<string, unknown>> = {}): Expectation {
  return async (sql) => {
    const found = (await read(sql, table)).filter((one) => differences(one, columns).length === 0)
    if (found.length === 0) return
    throw new Error(`expected no row of ${table} with ${show(columns)}, found ${found.length}: ${list(found)}`)
  }
}

type Row = Record<string, unknown>

async function read(sql: Sql, table: string): Promise<Row[]> {
  const { rows } = await sql.query<{ row: Row }>(`SELECT to_jsonb(t) AS row FROM ${table} t LIMIT 1000`)
  return rows.map(({ row: one }) => one)
}

const differences = (found: Row, wanted: Readonly<Record<string, unknown>>) =>
  Object.entries(wanted).flatMap(([column, value]) => {
    const is = column in found ? found[column] : 'no such column'
    return canonical(is, value) === canonical(value, value) ? [] : [{ column, wanted: show(value), found: show(is) }]
  })

// As the database shows values as JSON: a Date may come back in another zone or precision, key order is no part of jsonb.
function canonical(value: unknown, like: unknown): string {
  if (like instanceof Date) return String(new Date(value as string).getTime())
  if (typeof value === 'bigint') return String(value)
  if (Array.isArray(value)) {
    return `[${value.map((one, index) => canonical(one, Array.isArray(like) ? like[index] : undefined)).join()}]`
  }
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null)
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, one]) => `${JSON.stringify(key)}:${canonical(one, (like as Row | undefined)?.[key])}`).join()}}`
}

const show = (value: unknown) => (typeof value === 'bigint' ? String(value) : JSON.stringify(value))

const MOST_SHOWN = 3
const list = (rows: readonly Row[]) =>
  rows.slice(0, MOST_SHOWN).map(show).join(', ') +
  (rows.length > MOST_SHOWN ? `, and ${rows.length - MOST_SHOWN} more` : '')
