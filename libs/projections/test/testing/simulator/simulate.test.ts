import { jest } from '@jest/globals'
import { type UserLifecycleEvent, userLifecycle } from '@rollcall/events'
import { defineProjection, projectionsWith } from '../../../src/index.js'
import { expectSimulated, type MemoryTables, simulate } from '../../../src/testing/index.js'

// Thousands of schedules take their time on a loaded machine.
jest.setTimeout(300_000)

const SEEDS = 200

type Event = UserLifecycleEvent
type Context = { readonly tx: MemoryTables }
const define = projectionsWith<MemoryTables>()

const table = (row: (user: Event['user'], event: Event) => Record<string, unknown> | null) =>
  defineProjection<Event>({
    name: 'people',
    version: 1,
    topic: userLifecycle,
    table: { name: 'person', key: 'user_id', row },
  })

const people = table((user) =>
  user.status === 'deleted' ? null : { name: user.userName, emails: user.emails, version: user.version },
)

/** Not idempotent: an effect that happens twice, or not at all, shows in the count. */
function counting(put: (event: Event, context: Context) => unknown) {
  const all = async (event: Event, context: Context) => {
    const before = await context.tx.get('seen', event.userId)
    await context.tx.upsert('seen', event.userId, { events: Number(before?.events ?? 0) + 1 })
    await put(event, context)
  }
  return define<Event>({
    name: 'counts',
    version: 1,
    topic: userLifecycle,
    on: {
      UserCreated: all,
      UserUpdated: all,
      UserSuspended: all,
      UserReactivated: all,
      UserRestored: all,
      UserDeleted: all,
    },
    async reset({ tx }) {
      await tx.clear('seen')
      await tx.clear('person')
    },
  })
}

const put = ({ userId, user }: Event, { tx }: Context) =>
  user.status === 'deleted' ? tx.delete('person', userId) : tx.upsert('person', userId, { name: user.userName })

describe('a projection that keeps the rules', () => {
  test('passes in the table form', async () => {
    const simulation = await expectSimulated(people, { seeds: SEEDS })
    expect(simulation).toMatchObject({ seeds: SEEDS, failure: undefined })
  })

  test('passes with a handler per event', async () => {
    await expectSimulated(counting(put), { seeds: SEEDS })
  })

  test('passes with a handler per batch', async () => {
    const batches = define<Event>({
      name: 'batches',
      version: 1,
      topic: userLifecycle,
      async onBatch({ latest }, { tx }) {
        for (const { event } of latest) await put(event, { tx })
      },
      reset: ({ tx }) => tx.clear('person'),
    })
    await expectSimulated(batches, { seeds: SEEDS })
  })

  test('passes with a transaction of another face', async () => {
    const faced = projectionsWith<{ readonly person: { put(id: string, name: string): Promise<void> } }>()<Event>({
      name: 'faced',
      version: 1,
      topic: userLifecycle,
      on: { UserCreated: ({ userId, user }, { tx }) => tx.person.put(userId, user.userName) },
      reset: () => {},
    })
    const tx = (tables: MemoryTables) => ({
      person: { put: (id: string, name: string) => tables.upsert('person', id, { name }) },
    })
    await expectSimulated(faced, { seeds: 50, tx, faults: ['crash', 'duplicate', 'zombie'] })
  })

  test('may await what is not simulated: time stands still meanwhile', async () => {
    const slow = counting(async (event, context) => {
      await new Promise((resolve) => setTimeout(resolve, 0))
      await put(event, context)
    })
    await expectSimulated(slow, { seeds: 5 })
  })
})

test('equal seeds are equal simulations', async () => {
  const run = () => simulate(people, { seeds: 40, from: 7 })
  const [a, b] = [await run(), await run()]
  expect(a).toEqual(b)
  expect(a.steps).toBeGreaterThan(40 * 20)
})

describe('a planted bug is found', () => {
  test('a row that depends on when it is made', async () => {
    let calls = 0
    const moody = table((user) => ({ name: user.userName, made: calls++ }))
    await expect(expectSimulated(moody, { seeds: SEEDS })).rejects.toThrow(
      /'people' breaks a law with seed \d+: the read model is the fold of the events/,
    )
  })

  test('state kept beside the database', async () => {
    const seen = new Set<string>()
    const forgetful = counting(async (event, context) => {
      // "Handled before": true also when the transaction around it was rolled back.
      if (seen.has(event.eventId)) return
      seen.add(event.eventId)
      await put(event, context)
    })
    expect((await simulate(forgetful, { seeds: SEEDS })).failure).toMatchObject({ law: 'fold' })
  })

  test('a write that is not awaited', async () => {
    const hasty = counting((event, context) => {
      void Promise.resolve(put(event, context)).catch(() => {})
    })
    expect((await simulate(hasty, { seeds: SEEDS })).failure).toBeDefined()
  })

  test('a batch that trusts the order of its users, shown with the seed and the shortest schedule', async () => {
    // Writes what it read before: the newest event of a batch is not the last one of each user.
    const lazy = define<Event>({
      name: 'lazy',
      version: 1,
      topic: userLifecycle,
      async onBatch({ events }, { tx }) {
        const first = new Map<string, Event>()
        for (const event of events) if (!first.has(event.userId)) first.set(event.userId, event)
        for (const event of first.values()) await put(event, { tx })
      },
      reset: ({ tx }) => tx.clear('person'),
    })
    const { failure, seeds } = await simulate(lazy, { seeds: SEEDS })
    expect(failure).toMatchObject({ law: 'fold', schedule: { faults: [], processes: 1, partitions: 1 } })
    // Two events of one user in one batch: nothing shorter shows it.
    expect(failure?.schedule.writes).toHaveLength(2)
    expect(failure?.text).toContain(`seed ${seeds}`)
    expect(failure?.text).toMatch(/u\d: v1 UserCreated, v2 /)

    const again = await simulate(lazy, { seed: failure?.seed ?? 0 })
    expect(again.failure?.text).toBe(failure?.text)
  })
})
