import type { HandlerContext, ProjectedEvent, Projection } from './define-projection.js'
import { latestStates } from './latest-states.js'
import type { StoreTransaction } from './projection-store.js'
import { RowFailure, type TableWriter, tableWriter } from './table-writer.js'

/** A projection's effects behind one face, whatever its form. */
export interface Effects<E extends ProjectedEvent, Tx> {
  /** @throws HandlerFailure when it is known which event failed; anything else when it is not. */
  apply(events: readonly E[], transaction: StoreTransaction<Tx>): Promise<void>
  /** Empties the read model. */
  reset(transaction: StoreTransaction<Tx>): Promise<void>
  readonly table?: TableWriter<E>
}

/** A handler's error with the index of the event it was given. */
export class HandlerFailure extends Error {
  constructor(
    readonly index: number,
    override readonly cause: unknown,
  ) {
    super('a handler failed')
  }
}

export function effectsOf<E extends ProjectedEvent, Tx>(projection: Projection<E, Tx>): Effects<E, Tx> {
  if (projection.table !== undefined) {
    const { table } = projection
    const writer = tableWriter(projection)
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
      reset: ({ rows }) => rows.clear(table.name),
    }
  }
  if (projection.onBatch !== undefined) {
    const { onBatch, reset } = projection
    return {
      async apply(events, { tx }) {
        await onBatch({ events, latest: latestStates(events) }, { tx })
      },
      reset: async ({ tx }) => void (await reset({ tx })),
    }
  }
  // Each handler takes its own member of the union; the event's type picks it, which the compiler cannot follow.
  const handlers = projection.on as Readonly<
    Record<string, ((event: E, context: HandlerContext<Tx>) => unknown) | undefined>
  >
  const { reset } = projection
  return {
    async apply(events, { tx }) {
      for (const [index, event] of events.entries()) {
        const handler = Object.hasOwn(handlers, event.type) ? handlers[event.type] : undefined
        try {
          await handler?.(event, { tx })
        } catch (error) {
          throw new HandlerFailure(index, error)
        }
      }
    },
    reset: async ({ tx }) => void (await reset({ tx })),
  }
}
