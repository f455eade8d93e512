import { isRetryable } from '@rollcall/errors'
import { serializeError } from '@rollcall/observability'
import { type Effects, HandlerFailure } from '../apply/apply-effects.js'
import { sane } from '../apply/delivered.js'
import type { ProjectedEvent } from '../define-projection.js'
import type { ProjectionStore } from '../store/projection-store.js'

/** What became of one event of a rehearsal: null when it would be applied. */
export type Rehearsed = { readonly code: string; readonly message: string } | null

export interface RehearsalTools<E extends ProjectedEvent, Tx> {
  readonly effects: Effects<E, Tx>
  readonly store: ProjectionStore<Tx>
}

/**
 * Runs events through a projection, each alone, in transactions that are rolled back: whether the handler takes them, and
 * the database takes what it does with them. Versions are not looked at.
 *
 * @returns one outcome per event, in their order.
 * @throws what is wrong with the database as a whole.
 */
export async function rehearse<E extends ProjectedEvent, Tx>(
  events: readonly E[],
  { effects, store }: RehearsalTools<E, Tx>,
): Promise<Rehearsed[]> {
  const outcomes: Rehearsed[] = []
  for (const event of events) {
    try {
      await store.transaction(async (transaction) => {
        await effects.apply([event], transaction, [])
        throw ROLL_BACK
      })
    } catch (error) {
      const cause = error instanceof HandlerFailure ? error.cause : error
      if (store.isTransient(cause)) throw cause
      outcomes.push(cause === ROLL_BACK ? null : failureOf(cause))
    }
  }
  return outcomes
}

/**
 * The same for values as they stand in a topic; one that cannot be read is a failure like any other.
 *
 * @throws what is wrong with the database or the schema registry as a whole.
 */
export async function rehearseValues<E extends ProjectedEvent, Tx>(
  values: readonly Buffer[],
  { decode, ...tools }: RehearsalTools<E, Tx> & { readonly decode: (value: Buffer) => E | Promise<E> },
): Promise<Rehearsed[]> {
  const outcomes: Rehearsed[] = []
  for (const value of values) {
    try {
      outcomes.push(...(await rehearse([sane(await decode(value))], tools)))
    } catch (error) {
      if (isRetryable(error) || tools.store.isTransient(error)) throw error
      outcomes.push(failureOf(error))
    }
  }
  return outcomes
}

const ROLL_BACK = new Error('a rehearsal leaves nothing behind')

/** Without what a driver quotes. */
function failureOf(error: unknown): NonNullable<Rehearsed> {
  const { code, name, message } = serializeError(error)
  return { code: code ?? name, message }
}
