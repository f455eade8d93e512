import { jest } from '@jest/globals'
import { type UserLifecycleEvent, userLifecycle } from '@rollcall/events'
import { defineProjection, type LogSource, type ProjectionStore, type StoreTransaction } from '../../../src/index.js'
import { type MemoryTables, type SimulateOptions, simulate } from '../../../src/testing/index.js'

// The simulator is worth what it finds: each of these is the runner, or what it stands on, with one promise broken.

type Event = UserLifecycleEvent
type Store = ProjectionStore<MemoryTables>
type Transaction = StoreTransaction<MemoryTables>
type Options = SimulateOptions<Event, MemoryTables>

// Thousands of schedules take their time on a loaded machine.
jest.setTimeout(300_000)

const MOST_SEEDS = 3_000

const people = defineProjection<Event>({
  name: 'people',
  version: 1,
  topic: userLifecycle,
  table: {
    name: 'person',
    key: 'user_id',
    row: (user) => (user.status === 'deleted' ? null : { name: user.userName, version: user.version }),
  },
})

const caught = async (options: Options, run = simulate) => {
  const { failure } = await run<Event, MemoryTables>(people, { seeds: MOST_SEEDS, ...options })
  expect(failure).toBeDefined()
  expect(failure?.trace.length).toBeGreaterThan(0)
  return failure
}

/** The store with another way of doing things inside its transactions. */
const inTransactions =
  (mutate: (transaction: Transaction, store: Store) => Partial<Transaction>) =>
  (store: Store): Store => ({
    ...store,
    transaction: (work) =>
      store.transaction((transaction) => {
        const mutated = Object.create(transaction) as Transaction
        return work(Object.assign(mutated, mutate(transaction, store)))
      }),
  })

/** What every statement names its claims by, as the database has it now: whoever owns the partition. */
async function asItStands(store: Store, moves: Parameters<Transaction['advance']>[0], keep: 'position' | 'nothing') {
  const [row] = await store.read([moves[0]?.claim.name ?? ''])
  return moves.map((move) => {
    const is = row?.checkpoints.find(({ partition }) => partition === move.claim.partition)
    if (is === undefined) return move
    const { epoch, parking } = is
    const position = keep === 'position' ? move.claim.position : is.position
    return { ...move, claim: { ...move.claim, epoch, parking, position } }
  })
}

test('the fence dropped: whoever has a batch writes it', async () => {
  await caught({
    wrapStore: inTransactions((transaction, store) => ({
      advance: async (moves, userIds) => transaction.advance(await asItStands(store, moves, 'nothing'), userIds),
    })),
  })
})

test('the position committed before the effects', async () => {
  const failure = await caught({
    wrapStore: inTransactions((transaction, store) => ({
      advance(moves, userIds) {
        void transaction
        return store.transaction((other) => other.advance(moves, userIds))
      },
    })),
  })
  expect(failure).toMatchObject({ law: 'position' })
})

test('the effects committed before the position', async () => {
  await caught({
    wrapStore: inTransactions((transaction, store) => ({
      rows: {
        ...transaction.rows,
        upsert: (table, rows) => store.transaction((other) => other.rows.upsert(table, rows)),
      },
    })),
  })
})

test('versions not kept: nobody knows what was applied', async () => {
  await caught({ wrapStore: inTransactions(() => ({ recordVersions: async () => {} })) })
})

test('versions read a moment too early', async () => {
  await caught({
    wrapStore: inTransactions((transaction) => ({
      async advance(moves, userIds) {
        const known = await transaction.advance(moves, userIds)
        return known && new Map([...known].map(([userId, version]) => [userId, version - 1]))
      },
    })),
  })
})

test('who is parked not asked for again after a release', async () => {
  await caught({
    faults: ['gap', 'slow step'],
    wrapStore: inTransactions((transaction, store) => ({
      async advance(moves, userIds) {
        const [row] = await store.read([people.name])
        const mine = moves.map((move) => {
          const is = row?.checkpoints.find(({ partition }) => partition === move.claim.partition)
          return { ...move, claim: { ...move.claim, parking: is?.parking ?? move.claim.parking } }
        })
        return transaction.advance(mine, userIds)
      },
    })),
  })
})

test('a user released with events still waiting', async () => {
  await caught({
    wrapStore: inTransactions((transaction) => ({
      dropLetters: (name, userId) => transaction.dropLetters(name, userId, Number.MAX_SAFE_INTEGER),
    })),
  })
})

test('parked events released in another order', async () => {
  await caught({
    wrapStore: inTransactions((transaction) => ({
      async openParked(name, userId, limit) {
        const opened = await transaction.openParked(name, userId, limit)
        return opened && { ...opened, letters: [...opened.letters].reverse() }
      },
    })),
  })
})

test('a parked event not kept', async () => {
  const failure = await caught({ wrapStore: inTransactions(() => ({ park: async () => undefined })) })
  expect(failure).toMatchObject({ law: 'position' })
})

test('an error that would pass taken for the event’s own fault', async () => {
  const faults = ['database error', 'lost commit answer'] as const
  await caught({ faults, wrapStore: (store) => ({ ...store, isTransient: () => false }) })
})

test('a join that does not seek: what was handed out meanwhile is passed over', async () => {
  // Log and store of a process are wrapped one after the other; a join begins with a registration.
  let process = { isJoining: false }
  const wrapLog = (log: LogSource): LogSource => {
    const mine = { isJoining: false }
    process = mine
    return {
      ...log,
      consumer(options) {
        const assigned: typeof options.assigned = async (partitions) => {
          const positions = await options.assigned(partitions)
          mine.isJoining = false
          return positions
        }
        const consumer = log.consumer({ ...options, assigned })
        return { ...consumer, seek: (partition, offset) => void (mine.isJoining || consumer.seek(partition, offset)) }
      },
    }
  }
  const wrapStore = (store: Store): Store => {
    const mine = process
    return {
      ...store,
      register(projection, topic) {
        mine.isJoining = true
        return store.register(projection, topic)
      },
    }
  }
  const failure = await caught({ wrapLog, wrapStore, faults: ['stall', 'zombie', 'rebuild', 'rebalance'] })
  expect(failure).toMatchObject({ law: 'drains' })
})

describe('the decision broken', () => {
  /** The simulator over a runner that decides otherwise. */
  async function withDecision(mutate: (decide: typeof import('../../../src/apply/decide.js')) => object) {
    jest.resetModules()
    const real = await import('../../../src/apply/decide.js')
    jest.unstable_mockModule('../../../src/apply/decide.js', () => ({ ...real, ...mutate(real) }))
    return (await import('../../../src/testing/index.js')).simulate
  }

  test('the version check skipped: what comes is applied', async () => {
    const mutant = await withDecision(({ decide }) => ({
      decide: (...[batch, known, parked]: Parameters<typeof decide>) => {
        const versions = new Map<string, number>()
        for (const { userId, version } of batch) if (userId !== undefined) versions.set(userId, version)
        return { ...decide(batch, known, parked), verdicts: batch.map(() => ({ act: 'apply' })), versions }
      },
    }))
    await caught({ faults: ['crash', 'redelivery', 'duplicate', 'lost commit answer'] }, mutant)
  })

  test('the gap check skipped: a later version will do', async () => {
    const mutant = await withDecision(({ decide }) => ({
      decide(...[batch, known, parked]: Parameters<typeof decide>) {
        const decision = decide(batch, known, parked)
        const versions = new Map(decision.versions)
        const verdicts = decision.verdicts.map((verdict, index) => {
          if (verdict.act !== 'park' || verdict.cause !== 'gap') return verdict
          const { userId = '', version } = batch[index] ?? { version: 0 }
          versions.set(userId, version)
          return { act: 'apply' }
        })
        return { verdicts, versions, parks: new Set() }
      },
    }))
    const failure = await caught({ faults: ['gap'] }, mutant)
    expect(failure).toMatchObject({ law: 'gapless' })
  })

  test('a parked user’s next event applied', async () => {
    const mutant = await withDecision(({ decide }) => ({
      decide: (...[batch, known]: Parameters<typeof decide>) => {
        const seen = new Map(known)
        for (const { userId = '', version } of batch) if (!seen.has(userId)) seen.set(userId, version - 1)
        return decide(batch, seen)
      },
    }))
    await caught({}, mutant)
  })
})
