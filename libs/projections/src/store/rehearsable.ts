import type { ProjectionStore, StoreTransaction } from './projection-store.js'

/** Answers what the work did, in a transaction that is rolled back when this is a rehearsal. */
export async function rehearsable<Tx, R>(
  store: Pick<ProjectionStore<Tx>, 'transaction'>,
  isRehearsal: boolean,
  work: (transaction: StoreTransaction<Tx>) => Promise<R>,
): Promise<R> {
  const done: R[] = []
  try {
    await store.transaction(async (transaction) => {
      done[0] = await work(transaction)
      if (isRehearsal) throw ROLL_BACK
    })
  } catch (error) {
    if (error !== ROLL_BACK) throw error
  }
  return done[0] as R
}

const ROLL_BACK = Symbol('roll back')
