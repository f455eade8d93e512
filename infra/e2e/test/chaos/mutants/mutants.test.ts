import { readFileSync } from 'node:fs'
import { faults } from '../../../src/chaos/faults/all.js'
import { mutants } from '../../../src/chaos/mutants/all.js'
import { patched } from '../../../src/chaos/mutants/patch.js'

const root = new URL('../../../../../', import.meta.url)

test.each(mutants.map((mutant) => [mutant.name, mutant] as const))(
  'the place of the mutant %s is still there',
  (_, mutant) => {
    const source = readFileSync(new URL(mutant.file, root), 'utf8')
    expect(patched(source, mutant.edits, mutant.file)).not.toBe(source)
  },
)

test('there are at least twenty mutants, each with a name of its own and a fault there is', () => {
  expect(mutants.length).toBeGreaterThanOrEqual(20)
  expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length)
  expect(faults.map(({ name }) => name)).toEqual(expect.arrayContaining(mutants.map(({ fault }) => fault)))
})

test('a text that is gone, or stands twice, is refused', () => {
  const edits = [{ find: 'a', replace: '$&' }]
  expect(patched('a', edits, 'x.js')).toBe('$&')
  expect(() => patched('b', edits, 'x.js')).toThrow(expect.objectContaining({ code: 'ERR_MUTANT_STALE' }))
  expect(() => patched('aa', edits, 'x.js')).toThrow(expect.objectContaining({ facts: { file: 'x.js', times: 2 } }))
})
