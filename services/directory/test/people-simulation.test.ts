import { jest } from '@jest/globals'
import type { UserLifecycleEvent } from '@rollcall/events'
import { projectionsWith } from '@rollcall/projections'
import { expectSimulated, type MemoryTables, simulate } from '@rollcall/projections/testing'
import { people } from '../src/people/people-projection.js'

jest.setTimeout(300_000)

// `npm run simulate -w services/directory -- --seeds 100000` runs as many as one has patience for.
test('people stay true through crashes, rebalances, zombies, duplicates, poison and gaps', async () => {
  const { seeds, faults } = await expectSimulated(people, { seeds: 400 })
  expect(seeds).toBe(400)
  expect(faults).toBeGreaterThan(400)
})

test('a planted bug is found, with the seed and the shortest schedule', async () => {
  // The same rows from a handler per batch, which takes of each user the first event of the batch instead of the last.
  const hasty = projectionsWith<MemoryTables>()<UserLifecycleEvent>({
    name: 'people',
    version: 1,
    topic: people.topic,
    async onBatch({ events }, { tx }) {
      const first = new Map<string, UserLifecycleEvent>()
      for (const event of events) if (!first.has(event.userId)) first.set(event.userId, event)
      for (const event of first.values()) {
        const row = people.table.row(event.user, event)
        if (row === null) await tx.delete('person', event.userId)
        else await tx.upsert('person', event.userId, row)
      }
    },
    reset: ({ tx }) => tx.clear('person'),
  })
  const { failure } = await simulate(hasty, { seeds: 400 })
  expect(failure).toMatchObject({ law: 'fold', schedule: { faults: [], processes: 1, partitions: 1 } })
  // Two events of one user in one batch: nothing shorter shows it.
  expect(failure?.schedule.writes).toHaveLength(2)
  expect(failure?.text).toContain(`simulate(people, { seed: ${failure?.seed} })`)
})
