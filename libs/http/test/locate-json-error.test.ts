import fc from 'fast-check'
import { locateJsonError } from '../src/locate-json-error.js'

test.each([
  ['{"a":1,}', 'line 1, column 8'],
  ['{"name": oops}', 'line 1, column 10'],
  ['{"a":\n  tru}', 'line 2, column 3'],
  ['{"a":1} x', 'line 1, column 9'],
  ['[01]', 'line 1, column 3'],
  ['[1 2]', 'line 1, column 4'],
  ['{"a":"tab\there"}', 'line 1, column 10'],
  ['{"a":"\\x"}', 'line 1, column 7'],
  ["{'a':1}", 'line 1, column 2'],
  ['{"x":[{},{}],"y"}', 'line 1, column 17'],
  ['{"a":[]]}', 'line 1, column 8'],
  ['\ufeff{}', 'line 1, column 1'],
])('the mistake in %j is at %s', (text, place) => {
  expect(locateJsonError(text)).toBe(`unexpected character at ${place}`)
})

test.each(['', '  ', '[1,2', '"abc', '{"a":', '{"a":{"b":[1'])('%j ends too early', (text) => {
  expect(locateJsonError(text)).toBe('it ends too early')
})

test('a text that is JSON has no mistake', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 5 }), (json) => {
      expect(locateJsonError(json)).toBe('it ends too early')
    }),
  )
})

test('where V8 says what it expected and where, the place is the same', () => {
  let compared = 0
  fc.assert(
    fc.property(fc.json({ maxDepth: 5 }), fc.nat(), (json, seed) => {
      const at = seed % json.length
      const text = json.slice(0, at) + json.slice(at + 1)
      const position = expectedAt(text)
      if (position === undefined || position >= text.length) return
      compared++
      expect(locateJsonError(text)).toBe(`unexpected character at line 1, column ${position + 1}`)
    }),
    { numRuns: 2_000 },
  )
  expect(compared).toBeGreaterThan(20)
})

function expectedAt(text: string): number | undefined {
  try {
    JSON.parse(text)
    return undefined
  } catch (error) {
    const position = /^Expected .* at position (\d+)/.exec((error as Error).message)?.[1]
    return position === undefined ? undefined : Number(position)
  }
}
