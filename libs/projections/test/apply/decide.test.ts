import fc from 'fast-check'
import { decide, type VersionedRecord } from '../../src/apply/decide.js'

const acts = (batch: VersionedRecord[], known: Record<string, number> = {}, parked: string[] = []) =>
  decide(batch, new Map(Object.entries(known)), new Set(parked)).verdicts.map((verdict) =>
    verdict.act === 'park' ? verdict.cause : verdict.act,
  )

const of = (userId: string, version: number, failure?: string): VersionedRecord => ({
  userId,
  version,
  ...(failure === undefined ? {} : { failure }),
})

test('versions that follow are applied, also within one batch', () => {
  expect(acts([of('a', 1), of('b', 5), of('a', 2)], { b: 4 })).toEqual(['apply', 'apply', 'apply'])
})

test('a version that was applied is skipped, wherever it comes from', () => {
  expect(acts([of('a', 3), of('a', 4), of('a', 4), of('a', 1)], { a: 3 })).toEqual(['skip', 'apply', 'skip', 'skip'])
})

test('a gap parks its user, names the known version, and everybody else flows', () => {
  const { verdicts, versions, parks } = decide([of('a', 1), of('b', 3), of('c', 1), of('b', 4)], new Map([['b', 1]]))
  expect(verdicts).toEqual([
    { act: 'apply' },
    { act: 'park', cause: 'gap', knownVersion: 1 },
    { act: 'apply' },
    { act: 'park', cause: 'behind', knownVersion: 1 },
  ])
  expect([...versions]).toEqual([
    ['a', 1],
    ['c', 1],
  ])
  expect([...parks]).toEqual(['b'])
})

test('what the handler failed on parks its user, with what was applied before it kept', () => {
  expect(acts([of('a', 1), of('a', 2, 'broken'), of('b', 1), of('a', 3)])).toEqual([
    'apply',
    'failed',
    'apply',
    'behind',
  ])
})

test('events of a parked user wait, but for those applied before', () => {
  expect(acts([of('a', 3), of('a', 4), of('b', 1)], { a: 3 }, ['a'])).toEqual(['skip', 'behind', 'apply'])
})

test('an unreadable record that is known to be old is skipped, one that names no user stands for itself', () => {
  const unnamed = { userId: undefined, version: Number.NaN, failure: 'unreadable' }
  expect(acts([of('a', 2, 'unreadable'), unnamed, of('a', 3)], { a: 2 })).toEqual(['skip', 'failed', 'apply'])
})

test('however events are repeated and cut into batches, each version is applied once and in order', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ user: fc.constantFrom('a', 'b', 'c'), back: fc.nat(3) }), { maxLength: 60 }),
      fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 30 }),
      (steps, sizes) => {
        // A true history, with older versions delivered again in between.
        const written = new Map<string, number>()
        const delivered = steps.flatMap(({ user, back }) => {
          const next = (written.get(user) ?? 0) + 1
          written.set(user, next)
          const again = Array.from({ length: Math.min(back, next - 1) }, (_, i) => of(user, next - 1 - i))
          return [of(user, next), ...again]
        })
        const known = new Map<string, number>()
        const appliedInOrder: string[] = []
        for (let at = 0, turn = 0; at < delivered.length; turn++) {
          const batch = delivered.slice(at, at + (sizes[turn % sizes.length] as number))
          const { verdicts, versions, parks } = decide(batch, known)
          expect(parks.size).toBe(0)
          verdicts.forEach(({ act }, index) => {
            const event = batch[index] as VersionedRecord
            if (act === 'apply') appliedInOrder.push(`${event.userId}${event.version}`)
          })
          for (const [user, version] of versions) known.set(user, version)
          at += batch.length
        }
        expect(new Set(appliedInOrder).size).toBe(appliedInOrder.length)
        expect([...known].sort()).toEqual([...written].sort())
      },
    ),
  )
})
