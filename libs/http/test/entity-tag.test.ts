import { etagOf, ifMatchAllows, ifNoneMatchHolds, parseEntityTags } from '../src/entity-tag.js'

const allows = (header: string | undefined, version: number) => ifMatchAllows(parseEntityTags(header), version)
const holds = (header: string | undefined, version: number) => ifNoneMatchHolds(parseEntityTags(header), version)

test('the tag of a version allows that version and no other', () => {
  expect(allows(etagOf(7), 7)).toBe(true)
  expect(allows(etagOf(7), 8)).toBe(false)
})

test('no If-Match and * allow every version', () => {
  expect([allows(undefined, 3), allows('*', 3), allows(' * ', 3)]).toEqual([true, true, true])
})

test('one tag of a list is enough', () => {
  expect(allows('"1", "x,y" ,"3"', 3)).toBe(true)
  expect(allows('"1","2"', 3)).toBe(false)
})

test('a weak tag never allows a change, and is good enough for a read', () => {
  expect(allows('W/"3"', 3)).toBe(false)
  expect(holds('W/"3"', 3)).toBe(true)
  expect(holds('"2"', 3)).toBe(false)
  expect(holds(undefined, 3)).toBe(false)
})

test('tags that are not ours are legal and match nothing', () => {
  expect([allows('"abc"', 3), allows('"03"', 3), allows('""', 3), allows('"3.0"', 3)]).toEqual(Array(4).fill(false))
})

test.each(['', '7', '"7', '"7",', ',"7"', '"7" "8"', 'w/"7"', '*,"7"', Array(40).fill('"1"').join()])(
  'If-Match %j is refused',
  (header) => {
    expect(() => parseEntityTags(header)).toThrow(expect.objectContaining({ code: 'ERR_IF_MATCH_INVALID' }))
  },
)
