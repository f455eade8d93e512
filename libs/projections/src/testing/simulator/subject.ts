import { RollcallError } from '@rollcall/errors'
import type { KafkaRecord } from '@rollcall/kafka'
import { tableWriter } from '../../apply/table-writer.js'
import type {
  EventBatch,
  EventHandlers,
  HandlerContext,
  ProjectedEvent,
  Projection,
  TableRow,
} from '../../define-projection.js'
import type { LogSource } from '../../log-source.js'
import type { ProjectionStore } from '../../store/projection-store.js'
import { drawAt } from './chance.js'
import type { MemorySession } from './memory-database.js'
import type { MemoryTables } from './memory-tables.js'

/** What is simulated, made once for any number of seeds: the user's projection under our hands, and the events. */
export interface Subject<E extends ProjectedEvent, Tx> {
  /** The user's own handlers; each event passes `before` first. */
  readonly projection: Projection<E, Tx>
  /** Told before a handler sees an event; throws what the handler is to throw. */
  watch(watcher: Watcher<E> | undefined): void
  /** What handlers write to, and for `on` and `onBatch` whose it is. */
  readonly tx: (tables: MemoryTables, session: MemorySession) => Tx
  sessionOf(tx: Tx): MemorySession | undefined
  event(history: number, version: number): E
  /** The history of a schedule's user. */
  historyOf(seed: number, user: number): number
  typeOf(seed: number, user: number, version: number): string
  userId(history: number): string
  recordOf(event: E): Omit<KafkaRecord, 'offset' | 'timestampMs'>
  eventIn(value: Buffer): E
  /** For a `table` projection: the row the handler makes of the event, made once. */
  readonly rowOf: ((event: E) => TableRow | null) | undefined
  readonly wrapStore: (store: ProjectionStore<Tx>) => ProjectionStore<Tx>
  readonly wrapLog: (log: LogSource) => LogSource
}

export interface Watcher<E> {
  before(event: E): void
  /** A handler runs; called again with -1 when it has ended. */
  running(by: 1 | -1, session: MemorySession): void
  effects(events: readonly E[], session: MemorySession): void
}

export interface SubjectOptions<E extends ProjectedEvent, Tx> {
  readonly projection: Projection<E, Tx>
  readonly tx: (tables: MemoryTables) => Tx
  /** The events of the nth made-up user: versions from 1, each state following from the one before. */
  readonly history: (user: number, length: number) => readonly E[]
  readonly events: number
  readonly wrapStore?: ((store: ProjectionStore<Tx>) => ProjectionStore<Tx>) | undefined
  readonly wrapLog?: ((log: LogSource) => LogSource) | undefined
}

/** How many different users there are; seeds choose among them. */
export const HISTORIES = 32

export function subjectOf<E extends ProjectedEvent, Tx>(options: SubjectOptions<E, Tx>): Subject<E, Tx> {
  const { projection, events: length, wrapStore = (store) => store, wrapLog = (log) => log } = options
  const histories = Array.from({ length: HISTORIES }, (_, user) =>
    checkedHistory(options.history(user, length), length),
  )
  const all = histories.flat()
  const records = new Map(all.map((event, index) => [event, recordFor(event, index)]))
  const sessions = new WeakMap<object, MemorySession>()
  let watcher: Watcher<E> | undefined

  // Neighbours, so that the users of a schedule are different ones.
  const historyOf = (seed: number, user: number) => (drawAt(seed, HISTORIES, 0) + user) % HISTORIES

  const rows = new Map<E, TableRow | null>()
  const writer = projection.table === undefined ? undefined : tableWriter(projection)

  return {
    projection: watched(projection, {
      before: (event) => watcher?.before(event),
      running(by, tx) {
        const session = sessions.get(tx as object)
        if (session !== undefined) watcher?.running(by, session)
      },
      effects(events, tx) {
        const session = sessions.get(tx as object)
        if (session !== undefined) watcher?.effects(events, session)
      },
      types: new Set(all.map(({ type }) => type)),
    }),
    watch(next) {
      watcher = next
    },
    tx(tables, session) {
      if (projection.table !== undefined) return NO_TX as Tx
      const tx = options.tx(tables)
      sessions.set(tx as object, session)
      return tx
    },
    sessionOf: (tx) => sessions.get(tx as object),
    event: (history, version) => histories[history]?.[version - 1] as E,
    historyOf,
    typeOf: (seed, user, version) => histories[historyOf(seed, user)]?.[version - 1]?.type ?? '',
    userId: (history) => histories[history]?.[0]?.userId ?? '',
    recordOf: (event) => records.get(event) as Omit<KafkaRecord, 'offset' | 'timestampMs'>,
    eventIn: (value) => all[value.readUInt32LE(0)] as E,
    rowOf:
      writer === undefined
        ? undefined
        : (event) => {
            let row = rows.get(event)
            if (row === undefined) {
              row = writer.rowOf(event.userId, event.user, event)
              rows.set(event, row)
            }
            return row
          },
    wrapStore,
    wrapLog,
  }
}

const NO_TX = {}

function checkedHistory<E extends ProjectedEvent>(events: readonly E[], length: number): readonly E[] {
  const [first] = events
  const isHistory = events.every(({ userId, version }, index) => userId === first?.userId && version === index + 1)
  if (events.length === length && isHistory) return events
  throw new TypeError(`history() must answer ${length} events of one user, versions 1 to ${length}`)
}

/** The value is the event's number: what an event looks like on the wire is not what is simulated. */
function recordFor(event: ProjectedEvent, index: number): Omit<KafkaRecord, 'offset' | 'timestampMs'> {
  const value = Buffer.alloc(4)
  value.writeUInt32LE(index)
  const headers = {
    ce_subject: Buffer.from(event.userId),
    ce_sequence: Buffer.from(String(event.version)),
    ce_id: Buffer.from(event.eventId),
  }
  return { key: Buffer.from(event.userId), value, headers }
}

interface Hands<E, Tx> {
  before(event: E): void
  running(by: 1 | -1, tx: Tx): void
  effects(events: readonly E[], tx: Tx): void
  /** All the types there are: what has no handler has no effect, and must still come in order. */
  readonly types: ReadonlySet<string>
}

/** The same projection, with our hands before each handler. */
function watched<E extends ProjectedEvent, Tx>(
  projection: Projection<E, Tx>,
  { before, running, effects, types }: Hands<E, Tx>,
): Projection<E, Tx> {
  const whileRunning = (tx: Tx, work: () => unknown): unknown => {
    const result = work()
    if (!(result instanceof Object && 'then' in result)) return result
    running(1, tx)
    return (result as Promise<unknown>).finally(() => running(-1, tx))
  }
  if (projection.table !== undefined) {
    const { table } = projection
    const row: typeof table.row = (user, event) => {
      before(event)
      return table.row(user, event)
    }
    return { ...projection, table: { ...table, row } }
  }
  if (projection.onBatch !== undefined) {
    const { onBatch } = projection
    return {
      ...projection,
      onBatch(batch: EventBatch<E>, context: HandlerContext<Tx>) {
        for (const event of batch.events) before(event)
        effects(batch.events, context.tx)
        return whileRunning(context.tx, () => onBatch(batch, context))
      },
    }
  }
  const handlers = projection.on as Readonly<
    Record<string, ((event: E, context: { readonly tx: Tx }) => unknown) | undefined>
  >
  const on = Object.fromEntries(
    [...types].map((type) => {
      const handler = Object.hasOwn(handlers, type) ? handlers[type] : undefined
      return [
        type,
        (event: E, context: { readonly tx: Tx }) => {
          before(event)
          effects([event], context.tx)
          return handler && whileRunning(context.tx, () => handler(event, context))
        },
      ]
    }),
  )
  return { ...projection, on: on as unknown as EventHandlers<E, Tx> }
}

/** A handler that fails for good. Made once, without a stack: thousands are thrown. */
export const POISON = stackless(new Error('poisoned by the simulator'))

/** A handler that says that trying again may help. */
export const HICCUP = stackless(
  new RollcallError({ code: 'ERR_SIMULATED_HICCUP', message: 'The handler fails, by the simulator.', retryable: true }),
)

/** Bytes that are no event. */
export const UNREADABLE = stackless(new Error('made unreadable by the simulator'))

export function stackless<E extends Error>(error: E): E {
  error.stack = ''
  return error
}
