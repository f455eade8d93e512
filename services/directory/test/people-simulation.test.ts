import { jest } from '@jest/globals'
import type { User, UserLifecycleEvent } from '@rollcall/events'
import { defineProjection } from '@rollcall/projections'
import { expectSimulated, simulate } from '@rollcall/projections/testing'
import { people } from '../src/people/people-projection.js'

jest.setTimeout(300_000)

// `npm run simulate -w services/directory -- --seeds 100000` runs as many as one has patience for.
test('people stay true through crashes, rebalances, zombies, duplicates, poison and gaps', async () => {
  const { seeds, faults } = await expectSimulated(people, { seeds: 400 })
  expect(seeds).toBe(400)
  expect(faults).toBeGreaterThan(400)
})

test('a handler that remembers beside its rows is found, with the seed and a short schedule', async () => {
  // The bug: "nothing changed but the time" is told from what this process saw last, and not from what the database holds.
  const lastSeen = new Map<string, User>()
  const forgetful = defineProjection({
    ...people,
    table: {
      ...people.table,
      row(user: User, event: UserLifecycleEvent) {
        const before = lastSeen.get(user.id)
        lastSeen.set(user.id, user)
        return before !== undefined && before.version > user.version
          ? people.table.row(before, event)
          : people.table.row(user, event)
      },
    },
  })
  const { failure } = await simulate(forgetful, { seeds: 400 })
  expect(failure).toMatchObject({ law: 'fold' })
  expect(failure?.schedule.faults.length).toBeLessThanOrEqual(2)
  expect(failure?.schedule.writes.length).toBeLessThanOrEqual(4)
  expect(failure?.text).toContain(`simulate(people, { seed: ${failure?.seed} })`)
})
