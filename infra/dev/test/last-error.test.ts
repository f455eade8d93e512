import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lastErrorIn } from '../src/last-error.js'

const directory = mkdtempSync(join(tmpdir(), 'rollcall-last-error-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

function lastErrorOf(...lines: (string | object)[]): string | undefined {
  const file = join(directory, 'service.log')
  writeFileSync(file, lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join(''))
  return lastErrorIn(file)
}

const info = { level: 'info', msg: 'closed' }

test.each<[string, (string | object)[], string | undefined]>([
  ['the error that ended the start', [info, 'ERR_PORT_TAKEN: 7400 is taken'], 'ERR_PORT_TAKEN: 7400 is taken'],
  [
    'a logged error, by its code',
    [{ level: 'error', msg: 'm', err: { code: 'ERR_A', message: 'b' } }, info],
    'ERR_A: b',
  ],
  ['a logged error without a cause, by its message', [{ level: 'fatal', msg: 'it broke' }, info], 'it broke'],
  [
    'what a crash of Node begins with',
    ['TypeError: x is undefined', '    at y.js:1:1', '', 'Node.js v20'],
    'TypeError: x is undefined',
  ],
  ['the later of two', ['ERR_A: a', { level: 'error', msg: 'b' }], 'b'],
  ['the last line where nothing is marked', ['one', 'two'], 'two'],
  ['nothing in an empty log', [], undefined],
])('the last error is %s', (_, lines, error) => {
  expect(lastErrorOf(...lines)).toBe(error)
})

test('a log that is not there has no error', () => {
  expect(lastErrorIn(join(directory, 'none.log'))).toBeUndefined()
})
