import fc from 'fast-check'
import { decide, type VersionedEvent } from '../src/decide.js'

const acts = (batch: VersionedEvent[], known: Record<string, number> = {}) =>
  decide(batch, new Map(Object.entries(known))).verdicts.map(({ act }) => act)

const of = (userId: string, version: number): VersionedEvent => ({ userId, version })

test('versions that follow are applied, also within one batch', () => {
  expect(acts([of('a', 1), of('b', 5), of('a', 2)], { b: 4 })).toEqual(['apply', 'apply', 'apply'])
})

test('a version that was applied is skipped, wherever it comes from', () => {
  expect(acts([of('a', 3), of('a', 4), of('a', 4), of('a', 1)], { a: 3 })).toEqual(['skip', 'apply', 'skip', 'skip'])
})

test('a gap stops the batch at itself, names both versions, and holds what follows', () => {
  const { verdicts, stopAt, applied } = decide([of('a', 1), of('b', 3), of('c', 1)], new Map([['b', 1]]))
  expect(verdicts).toEqual([{ act: 'apply' }, { act: 'stop', knownVersion: 1, seenVersion: 3 }, { act: 'hold' }])
  expect({ stopAt, applied }).toEqual({ stopAt: 1, applied: 1 })
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
          const { verdicts, versions, stopAt } = decide(batch, known)
          expect(stopAt).toBeUndefined()
          verdicts.forEach(({ act }, index) => {
            const event = batch[index] as VersionedEvent
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
