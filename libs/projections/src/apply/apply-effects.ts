import type { HandlerContext, OwnTables, ProjectedEvent, Projection } from '../define-projection.js'
import { SideLeakedError } from '../projection-errors.js'
import type { StoreTransaction } from '../store/projection-store.js'
import { writtenTables } from '../store/written-tables.js'
import { latestStates } from './latest-states.js'
import { RowFailure, type TableWriter, tableIn, tableWriter } from './table-writer.js'

/** A projection's effects behind one face, whatever its form. */
export interface Effects<E extends ProjectedEvent, Tx> {
  /**
   * @param deferred gets what the handlers want done after the commit
   * @throws HandlerFailure when it is known which event failed; anything else when it is not
   */
  apply(events: readonly E[], transaction: StoreTransaction<Tx>, deferred: Deferred): Promise<void>
  /** Empties the read model. */
  reset(transaction: StoreTransaction<Tx>): Promise<void>
  readonly table?: TableWriter<E>
}

export type Deferred = (() => unknown)[]

/** A handler's error with the index of the event it was given. */
export class HandlerFailure extends Error {
  constructor(
    readonly index: number,
    override readonly cause: unknown,
  ) {
    super('a handler failed')
  }
}

/** @param schema where the tables stand of a side that is not live */
export function effectsOf<E extends ProjectedEvent, Tx>(
  projection: Projection<E, Tx>,
  schema?: string,
): Effects<E, Tx> {
  if (projection.table !== undefined) {
    const into = tableIn(projection.table.name, schema)
    const writer = tableWriter(projection, into)
    return {
      table: writer,
      async apply(events, { rows }) {
        try {
          await writer.write(rows, latestStates(events))
        } catch (error) {
          // What the database refuses names no row: then the event is found by halving.
          if (error instanceof RowFailure) throw new HandlerFailure(events.indexOf(error.event as E), error.cause)
          throw error
        }
      },
      reset: ({ rows }) => rows.clear(into),
    }
  }
  if (projection.onBatch !== undefined) {
    const { onBatch } = projection
    return {
      async apply(events, transaction, deferred) {
        await onBatch({ events, latest: latestStates(events) }, contextOf(transaction.tx, deferred))
        await refuseLeaks(transaction, schema)
      },
      reset: (transaction) => resetOf(projection, transaction),
    }
  }
  // Each handler takes its own member of the union; the event's type picks it, which the compiler cannot follow.
  const handlers = projection.on as Readonly<
    Record<string, ((event: E, context: HandlerContext<Tx>) => unknown) | undefined>
  >
  return {
    async apply(events, transaction, deferred) {
      const context = contextOf(transaction.tx, deferred)
      for (const [index, event] of events.entries()) {
        const handler = Object.hasOwn(handlers, event.type) ? handlers[event.type] : undefined
        try {
          await handler?.(event, context)
        } catch (error) {
          throw new HandlerFailure(index, error)
        }
      }
      await refuseLeaks(transaction, schema)
    },
    reset: (transaction) => resetOf(projection, transaction),
  }
}

async function resetOf<Tx>(
  { reset, tables = [] }: OwnTables<Tx>,
  { tx, rows }: Pick<StoreTransaction<Tx>, 'tx' | 'rows'>,
): Promise<void> {
  if (reset !== undefined) await reset({ tx })
  else for (const table of tables) await rows.clear(table)
}

const contextOf = <Tx>(tx: Tx, deferred: Deferred): HandlerContext<Tx> => ({
  tx,
  afterCommit: (work) => void deferred.push(work),
})

/** Handlers that name a schema would reach the live tables while another side is built. */
async function refuseLeaks<Tx>(transaction: StoreTransaction<Tx>, schema: string | undefined): Promise<void> {
  if (schema === undefined) return
  const leaks = (await writtenTables(transaction)).filter((table) => table.schema !== schema)
  if (leaks.length > 0) throw new SideLeakedError(leaks.map(({ fullName }) => fullName))
}
