import type { PoolClient } from '@rollcall/database'
import { ProjectionInvalidError } from './projection-errors.js'

/**
 * Defines a read model: one plain object with a name, a version and one of three handler forms.
 *
 * - `on`: one function per event type, typed from the event; types not listed are skipped.
 * - `onBatch`: one function per batch, for set-based SQL.
 * - `table`: a pure function from a user to a row; the library writes the one statement per batch and the fast rebuild.
 *
 * `tx` is a pg client unless the handler says otherwise: annotate one context (`{ tx }: HandlerContext<Prisma.TransactionClient>`)
 * or take a bound definer from {@link projectionsWith}.
 *
 * @throws ProjectionInvalidError when the name or the version cannot be used.
 */
export function defineProjection<E extends ProjectedEvent>(definition: TableProjection<E>): TableProjection<E>
export function defineProjection<E extends ProjectedEvent, Tx = PoolClient>(
  definition: SetBasedProjection<E, Tx>,
): SetBasedProjection<E, Tx>
export function defineProjection<E extends ProjectedEvent, Tx = PoolClient>(
  definition: PerEventProjection<E, Tx>,
): PerEventProjection<E, Tx>
export function defineProjection<E extends ProjectedEvent, Tx>(definition: Projection<E, Tx>): Projection<E, Tx> {
  return checked(definition)
}

/** `defineProjection` bound to one transaction type: `const defineProjection = projectionsWith<Prisma.TransactionClient>()`. */
export function projectionsWith<Tx>(): <E extends ProjectedEvent>(definition: Projection<E, Tx>) => Projection<E, Tx> {
  return checked
}

/** What the library reads of an event; every `UserLifecycleEvent` is one. */
export interface ProjectedEvent {
  readonly type: string
  readonly eventId: string
  readonly userId: string
  /** Starts at 1 and has no gap per user. */
  readonly version: number
  /** The user's whole new state. */
  readonly user: { readonly status: string }
}

/** What the library reads of a topic; `userLifecycle` is one. */
export interface ProjectedTopic<E> {
  readonly name: string
  key(event: E): string
}

export interface HandlerContext<Tx> {
  /** The team's own transaction: effects, user version and checkpoint commit together or not at all. */
  readonly tx: Tx
  /**
   * Runs the work once the transaction is committed: a mail, a call, what cannot be taken back. At most once (a crash in
   * between loses it; a failure is logged), and never while events are only replayed: not in a rebuild, a what-if or a replay.
   */
  afterCommit(work: () => unknown): void
}

export type EventHandlers<E extends ProjectedEvent, Tx> = {
  readonly [T in E['type']]?: (event: Extract<E, { readonly type: T }>, context: HandlerContext<Tx>) => unknown
}

export interface EventBatch<E extends ProjectedEvent> {
  /** The events to apply, in order; duplicates are already gone. */
  readonly events: readonly E[]
  /** Per user of the batch, the last state. */
  readonly latest: readonly LatestState<E>[]
}

export interface LatestState<E extends ProjectedEvent> {
  readonly userId: string
  readonly version: number
  readonly user: E['user']
  /** The last event of the user in this batch. */
  readonly event: E
  /** True when the user left: remove what you keep of them. */
  readonly deleted: boolean
}

interface ProjectionIdentity<E extends ProjectedEvent> {
  /** Identifies the read model for ever: lower case letters, digits, `_` and `-`, at most 38. Another name starts from nothing. */
  readonly name: string
  /** Raise it when the rows would come out differently: the next start rebuilds. */
  readonly version: number
  readonly topic: ProjectedTopic<E>
}

/** How a projection with handlers of its own is rebuilt: by `tables` beside the live ones, or else emptied by `reset`. */
export interface OwnTables<Tx> {
  /**
   * The tables the handlers write. Then a rebuild fills copies of them in a schema that comes first on the search path, so
   * the handlers must name them without a schema; what they write elsewhere fails.
   */
  readonly tables?: readonly string[]
  /** Empties the read model, in the transaction that starts a rebuild in place. Needed without `tables`. */
  readonly reset?: (context: Pick<HandlerContext<Tx>, 'tx'>) => unknown
}

export interface PerEventProjection<E extends ProjectedEvent, Tx> extends ProjectionIdentity<E>, OwnTables<Tx> {
  readonly on: EventHandlers<E, Tx>
  readonly onBatch?: never
  readonly table?: never
}

export interface SetBasedProjection<E extends ProjectedEvent, Tx> extends ProjectionIdentity<E>, OwnTables<Tx> {
  readonly onBatch: (batch: EventBatch<E>, context: HandlerContext<Tx>) => unknown
  readonly on?: never
  readonly table?: never
}

export interface TableProjection<E extends ProjectedEvent> extends ProjectionIdentity<E> {
  readonly table: TableForm<E>
  readonly on?: never
  readonly onBatch?: never
  readonly reset?: never
  readonly tables?: never
}

export interface TableForm<E extends ProjectedEvent> {
  /** The table, `schema.name` or a name on the search path. It must have no unique constraint but the key. */
  readonly name: string
  /** The column that holds the user id; its primary key. */
  readonly key: string
  /** The user's row, always with the same columns; null when the user has none (left, or not wanted here). */
  readonly row: (user: E['user'], event: E) => TableRow | null
}

/** Column name to value: text, numbers, booleans, `Date`, `Buffer`, arrays, plain objects for json, null. */
export type TableRow = Readonly<Record<string, unknown>>

export type Projection<E extends ProjectedEvent, Tx> =
  | PerEventProjection<E, Tx>
  | SetBasedProjection<E, Tx>
  | TableProjection<E>

function checked<E extends ProjectedEvent, Tx>(definition: Projection<E, Tx>): Projection<E, Tx> {
  const { name, version } = definition
  if (!/^[a-z][a-z0-9_-]{0,37}$/.test(name)) {
    throw new ProjectionInvalidError(
      name,
      'its name must be lower case letters, digits, "_" or "-", begin with a letter, and have at most 38 characters',
    )
  }
  if (!Number.isSafeInteger(version) || version < 1) {
    throw new ProjectionInvalidError(name, `its version is ${version}; it must be a whole number from 1`)
  }
  if (definition.table === undefined && definition.reset === undefined && definition.tables === undefined) {
    throw new ProjectionInvalidError(name, 'it has neither `tables` nor `reset`: one of them is needed to rebuild it')
  }
  return definition
}
