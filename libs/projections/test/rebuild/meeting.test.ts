import { didNotMove, haveMet, partitionsApart } from '../../src/rebuild/meeting.js'

const at = (...positions: readonly number[]) =>
  new Map(positions.map((position, partition) => [partition, { position, isStanding: false }]))
const ends = new Map([
  [0, 100],
  [1, 100],
])

test('two sides have met when every partition stands at the same position, and not before', () => {
  expect(haveMet({ live: at(10, 20), other: at(10, 20) }, ends, false)).toBe(true)
  expect(haveMet({ live: at(10, 20), other: at(10, 19) }, ends, false)).toBe(false)
  expect(haveMet({ live: at(10, 20), other: at(10, 21) }, ends, false)).toBe(false)
})

test('a side without a partition has not been there', () => {
  expect(haveMet({ live: at(10, 20), other: at(10) }, ends, false)).toBe(false)
  expect(haveMet({ live: new Map(), other: new Map() }, ends, false)).toBe(false)
})

test('a partition that stands still on the live side need not be waited for, only passed', () => {
  const live = new Map([[0, { position: 10, isStanding: true }]])
  expect(haveMet({ live, other: at(9) }, ends, false)).toBe(false)
  expect(haveMet({ live, other: at(10) }, ends, false)).toBe(true)
  expect(haveMet({ live, other: at(50) }, ends, false)).toBe(true)
})

test('a live side that nobody runs is passed too; one beyond the end of a topic made anew, at that end', () => {
  expect(haveMet({ live: at(10), other: at(50) }, ends, true)).toBe(true)
  expect(haveMet({ live: at(500), other: at(100) }, ends, true)).toBe(true)
  expect(haveMet({ live: at(500), other: at(99) }, ends, true)).toBe(false)
})

test('a live side that was behind and stayed there is deserted; one that is ahead only waits', () => {
  const stayed = (live: readonly number[], other: readonly number[], after: readonly number[]) =>
    didNotMove({ live: at(...live), other: at(...other) }, { live: at(...after), other: at(...other) })
  expect(stayed([10, 20], [30, 20], [10, 20])).toBe(true)
  expect(stayed([10, 20], [30, 20], [11, 20])).toBe(false)
  expect(stayed([10, 20], [5, 20], [10, 20])).toBe(false)
})

test('sides are apart where one has applied records that the other has not, also where it has never been', () => {
  expect(partitionsApart({ live: at(10, 20), other: at(10, 21) })).toEqual([1])
  expect(partitionsApart({ live: new Map(), other: at(10, 0) })).toEqual([0])
  expect(partitionsApart({ live: at(10, 20), other: at(10, 20) })).toEqual([])
})
