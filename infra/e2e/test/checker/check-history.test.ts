import { checkHistory } from '../../src/checker/check-history.js'
import { generateHistory } from '../../src/checker/generate-history.js'
import { proveChecker } from '../../src/checker/prove-checker.js'
import { asHistory, copyOf } from '../../src/checker/recorded-history.js'
import { seededFaults } from '../../src/checker/seeded-faults.js'

const truth = generateHistory({ users: 300, seed: 7 })

test('a true history has no violation, and its duplicates are counted, not blamed', async () => {
  const { counts, violations } = await checkHistory(asHistory(truth))

  expect(violations.samples).toEqual([])
  expect(counts.users).toBe(300)
  expect(counts.changes).toBe(truth.outbox.length)
  expect(counts.records).toBe(truth.topic.length)
  expect(counts.duplicates).toBe(truth.topic.length - truth.outbox.length)
  expect(counts.duplicates).toBeGreaterThan(0)
  expect(counts.oldAfterNew).toBeGreaterThan(0)
})

test.each([11, 12, 13])('true histories raise no false alarm (seed %i)', async (seed) => {
  const { violations } = await checkHistory(asHistory(generateHistory({ users: 200, seed })))
  expect(violations.samples).toEqual([])
})

test('there are at least twenty known faults, and no two are the same', () => {
  expect(seededFaults.length).toBeGreaterThanOrEqual(20)
  expect(new Set(seededFaults.map(({ name }) => name)).size).toBe(seededFaults.length)
})

test.each(seededFaults)('$invariant catches that $name', async (fault) => {
  const { outcomes } = await proveChecker(truth, [fault])

  expect(outcomes[0]?.fired.join(', ')).toContain(`${fault.invariant} ${fault.rule}`)
})

test('an empty system is not blamed, a system whose topic was lost is blamed for every change', async () => {
  const empty = {
    ...truth,
    users: [],
    outbox: [],
    audit: [],
    topic: [],
    people: [],
    applied: [],
    counter: [],
    journal: [],
  }
  expect((await checkHistory(asHistory(empty))).violations.total).toBe(0)

  const { violations } = await checkHistory(asHistory({ ...copyOf(truth), topic: [], journal: [] }))
  expect(violations.byRule.get('I1 change not on the topic')?.count).toBe(truth.outbox.length)
  expect(violations.samples.length).toBeLessThanOrEqual(20)
})

test('outbox rows that retention dropped are not missed', async () => {
  const pruned = { ...asHistory({ ...copyOf(truth), outbox: truth.outbox.slice(100) }), outboxPruned: true }
  expect((await checkHistory(pruned)).violations.samples).toEqual([])
})
