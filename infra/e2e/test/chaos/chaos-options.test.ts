import { parseChaosOptions } from '../../src/chaos/chaos-options.js'
import { faults } from '../../src/chaos/faults/all.js'

test('without options the whole matrix is gone through in its long form, and written down', () => {
  expect(parseChaosOptions([])).toMatchObject({
    length: 'long',
    faults: faults.map(({ name }) => name),
    mutants: false,
    results: expect.stringMatching(/infra\/e2e\/results$/),
  })
})

test('the short form and single faults write nothing unless they are told where', () => {
  const resultsOf = (...args: string[]) => (parseChaosOptions(args) as { results?: string }).results
  expect(resultsOf('--short')).toBeUndefined()
  expect(resultsOf('--fault', 'kill-relay')).toBeUndefined()
  expect(resultsOf('--mutants', '--no-results')).toBeUndefined()
  expect(resultsOf('--short', '--results', '/somewhere')).toBe('/somewhere')
})

test.each([
  ['--fault nothing', 'there is no such fault'],
  ['--trials 0', '--trials 0: expected a whole number'],
  ['--seed x', '--seed x'],
  ['--kill', 'Unknown option'],
])('%s is refused', (args, reason) => {
  expect(() => parseChaosOptions(args.split(' '))).toThrow(
    expect.objectContaining({ code: 'ERR_CHAOS_OPTIONS_INVALID', message: expect.stringContaining(reason) }),
  )
})
