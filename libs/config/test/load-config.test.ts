import { z } from 'zod'
import { booleanText, ConfigInvalidError, durationMs, listOf, loadConfig, loopbackHost, port } from '../src/index.js'

const shape = z.object({
  HOST: loopbackHost().default('127.0.0.1'),
  PORT: port().default(7400),
  BROKERS: listOf(),
  VERBOSE: booleanText().default(false),
  WAIT_MS: durationMs({ max: 1_000 }).default(10),
  DATABASE_URL: z.url().optional(),
})

test('text becomes typed values, absent and empty ones their defaults', () => {
  expect(loadConfig(shape, { BROKERS: 'a:1, b:2', PORT: '', VERBOSE: 'true' })).toEqual({
    HOST: '127.0.0.1',
    PORT: 7400,
    BROKERS: ['a:1', 'b:2'],
    VERBOSE: true,
    WAIT_MS: 10,
  })
})

test('every problem is reported at once, with the value and what is wrong with it', () => {
  const problems = () => loadConfig(shape, { HOST: '0.0.0.0', PORT: '70000', VERBOSE: '1', WAIT_MS: '5000' })
  expect(problems).toThrow(ConfigInvalidError)
  for (const named of ['HOST="0.0.0.0"', 'PORT="70000"', 'BROKERS is missing', 'VERBOSE="1"', 'WAIT_MS="5000"']) {
    expect(problems).toThrow(named)
  }
})

test('a secret is not repeated', () => {
  const problem = () => loadConfig(shape, { BROKERS: 'a', DATABASE_URL: 'canary without scheme' })
  expect(problem).toThrow('DATABASE_URL=(hidden)')
  expect(problem).not.toThrow('canary')
})

test.each([
  ['127.0.0.1', true],
  ['127.8.8.8', true],
  ['::1', true],
  ['localhost', true],
  ['0.0.0.0', false],
  ['::', false],
  ['127.evil.example', false],
  ['10.0.0.1', false],
])('%s is loopback: %s', (host, expected) => {
  expect(loopbackHost().safeParse(host).success).toBe(expected)
})
