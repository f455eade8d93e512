import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { buildProgram } from '../src/cli.js'
import { address, resolveEndpoints } from '../src/endpoints.js'
import { rollcall, runRollcall, spawnRollcall } from './rollcall-process.js'
import { scriptedRegistry } from './scripted-registry.js'

// A loopback address nobody uses.
const NOBODY = 'http://127.9.9.9:7400'

const COMMANDS = [
  'dead-letters discard',
  'dead-letters list',
  'dead-letters retry',
  'dead-letters show',
  'dead-letters what-if',
  'outbox republish',
  'projections abandon',
  'projections cut-over',
  'projections list',
  'projections pause',
  'projections rebuild',
  'projections replay',
  'projections resume',
  'projections rollback',
  'projections verify',
  'schemas check',
  'schemas register',
  'status',
  'topics apply',
  'topics check',
  'topics tail',
  'users compare',
  'users generate',
  'users import',
  'users propagation',
]

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rollcall-cli-'))
})
afterAll(() => rm(folder, { recursive: true }))

describe('the installed command', () => {
  test('prints help and ends with 0, and with 2 when nothing is asked for', async () => {
    const [help, nothing] = await Promise.all([runRollcall(['--help']), runRollcall([])])
    expect(help).toMatchObject({ code: 0, stderr: '' })
    expect(help.stdout).toContain('rollcall users import people.csv')
    expect(nothing).toMatchObject({ code: 2, stdout: '' })
    expect(nothing.stderr).toContain('Usage: rollcall')
  })

  test('says which service does not answer and how to start it, in one sentence', async () => {
    const { code, stdout, stderr } = await runRollcall(['projections', 'list', '--directory', NOBODY])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toBe(
      `rollcall: The directory does not answer at ${NOBODY} (connection refused). Start the stack with \`npm start\`, or name another address (rollcall --help).\n`,
    )
  })
})

describe('every command', () => {
  const act = () => async () => {}
  const leaves = (command: Command): Command[] =>
    command.commands.length === 0 ? [command] : command.commands.flatMap(leaves)
  const program = buildProgram(act as never, { stdout: process.stdout, stderr: process.stderr })
  const pathOf = (command: Command): string[] =>
    command.parent === null ? [] : [...pathOf(command.parent), command.name()]
  const commands = leaves(program).filter((one) => one.name() !== 'help')

  test('is known', () => {
    expect(commands.map((one) => pathOf(one).join(' ')).sort()).toEqual(COMMANDS)
  })

  test.each(commands.map((one) => [pathOf(one)]))('%j has help with examples and exit codes', async (path) => {
    const { code, stdout } = await rollcall([...path, '--help'])
    expect(code).toBe(0)
    expect(stdout).toContain('Exit codes: 0 ')
    expect(stdout).toMatch(/Examples?:\n {2}rollcall /)
    expect(stdout).toContain('--json')
  })
})

describe('wrong usage ends with 2 and says what is right', () => {
  test.each([
    [['users', 'inport'], /Did you mean import\?/],
    [['users', 'generate'], /required option '--count <n>'/],
    [['users', 'generate', '--count', 'many'], /Expected a whole number from 1/],
    [['users', 'generate', '--count', '5', '--colour'], /unknown option '--colour'/],
    [['users', 'generate', '--count', '5', '--out', 'people.txt'], /add --format csv or --format ndjson/],
    [['users', 'import', 'people.csv'], /No address of the user registry is known\. Start the stack with `npm start`/],
    [['users', 'import', 'people.csv', '--registry', NOBODY], /people\.csv cannot be read \(no such file\)/],
    [['users', 'import', '.', '--registry', NOBODY, '--format', 'csv'], /is not a file/],
    [['users', 'import', '-', '--registry', NOBODY], /format of standard input is not known/],
    [['users', 'import', 'a.csv', '--import-id', '0198c0de-0000-4000-8000-000000000000'], /UUID of version 7/],
    [['users', 'import', '-', '--format', 'csv', '--resume', '--registry', NOBODY], /A pipe cannot be resumed/],
    [['status', '--endpoints', 'nowhere.json'], /nowhere\.json cannot be read/],
    [['topics', 'apply', '--file', 'nowhere.json'], /no topics file .*nowhere\.json/],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await rollcall(args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(message)
    expect(stderr).not.toMatch(/^\s+at /m)
  })

  test('as one JSON line under --json', async () => {
    const { code, stderr } = await rollcall(['users', 'import', 'nobody.csv', '--json', '--registry', NOBODY])
    expect(code).toBe(2)
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'ERR_USAGE_INVALID' } })
  })
})

test('a stack trace is shown under --verbose only', async () => {
  const { code, stderr } = await rollcall(['projections', 'list', '--directory', NOBODY, '--verbose'])
  expect(code).toBe(1)
  expect(stderr).toMatch(/^\s+at /m)
  expect(stderr).toContain('ECONNREFUSED')
})

describe('addresses', () => {
  test('a flag wins over the environment, which wins over the nearest endpoints file', async () => {
    const deep = join(folder, 'a', 'b')
    await mkdir(deep, { recursive: true })
    await mkdir(join(folder, '.rollcall'))
    const file = { registry: 'http://file:1', directory: 'http://file:2', relay: 'http://file:3/', processes: [] }
    await writeFile(join(folder, '.rollcall', 'endpoints.json'), JSON.stringify(file))
    const endpoints = resolveEndpoints({
      flags: { registry: 'http://flag:1' },
      environment: { registry: 'http://env:1', directory: 'http://env:2', kafka: undefined },
      cwd: deep,
    })
    expect(endpoints).toEqual({ registry: 'http://flag:1', directory: 'http://env:2', relay: 'http://file:3/' })
    expect(address(endpoints, 'relay')).toBe('http://file:3')
    expect(() => address(endpoints, 'kafka')).toThrow(/--kafka .* or KAFKA_BROKERS/)
  })

  test('a file that is no endpoints file is refused by name', async () => {
    const file = join(folder, 'wrong.json')
    await writeFile(file, '{"registry": "not an address"}')
    const { code, stderr } = await rollcall(['projections', 'list', '--endpoints', file])
    expect(code).toBe(2)
    expect(stderr).toContain(`${file} is not an endpoints file`)
  })
})

describe('users generate', () => {
  test('writes to a pipe or to a file, the same bytes', async () => {
    const file = join(folder, 'people.csv')
    const piped = await rollcall(['users', 'generate', '--count', '3'])
    const said = await rollcall(['users', 'generate', '--count', '3', '--out', file, '--json'])
    expect(piped.stdout.split('\n')).toHaveLength(5)
    expect(JSON.parse(said.stdout)).toEqual({ file, count: 3, seed: '1', format: 'csv' })
  })

  test('writes one JSON value a line under --json', async () => {
    const { code, stdout } = await rollcall(['users', 'generate', '--count', '3', '--json'])
    expect(code).toBe(0)
    for (const line of stdout.trimEnd().split('\n')) expect(JSON.parse(line)).toHaveProperty('userName')
  })
})

describe('the README', () => {
  const root = new URL('..', import.meta.url)
  const readme = readFile(new URL('README.md', root), 'utf8')

  test('lists every error code of the sources, and no other', async () => {
    const sources = new URL('src/', root)
    const files = (await readdir(sources, { recursive: true })).filter((file) => file.endsWith('.ts'))
    const texts = await Promise.all(files.map((file) => readFile(new URL(file, sources), 'utf8')))
    const thrown = new Set(texts.flatMap((text) => text.match(/(?<=code: ')ERR_\w+/g) ?? []))
    const listed = [...(await readme).matchAll(/^\| `(ERR_\w+)`/gm)].map(([, code]) => code)
    expect(listed.sort()).toEqual([...thrown].sort())
  })

  test('lists every command', async () => {
    const text = await readme
    const listed = [...text.matchAll(/^\| `([\w-]+)(?: ([\w-]+)(?:\\\|([\w-]+))?)?/gm)].flatMap(
      ([, noun, one, other]) =>
        [one, ...(other === undefined ? [] : [other])].map((verb) => [noun, verb].filter(Boolean).join(' ')),
    )
    expect(listed.filter((one) => !one.startsWith('ERR_')).sort()).toEqual(COMMANDS)
  })

  test('shows a session that goes as it says', async () => {
    const registry = await scriptedRegistry()
    const session = { cwd: folder, env: { ROLLCALL_REGISTRY: registry.url } }
    const typed = [...(await readme).matchAll(/^\$ npx rollcall (users (?:generate|import) [^\n]*)$/gm)].map(
      ([, args]) => String(args).split(' '),
    )
    expect(typed).toHaveLength(3)
    const [generate = [], begin = [], resume = []] = typed
    expect(await rollcall(generate, session)).toMatchObject({ code: 0, stdout: '20,000 users in people.csv\n' })
    const child = spawnRollcall([...begin, '--registry', registry.url], folder)
    child.stderr?.resume()
    const ended = once(child, 'exit')
    while (registry.requests.length < 2) await new Promise((resolve) => setTimeout(resolve, 2))
    child.kill('SIGKILL')
    await ended
    const { code, stdout, stderr } = await rollcall(resume, session)
    await registry.close()
    expect(stderr).toMatch(/^Resuming after line \d+,001\.\n/)
    expect(stdout).toMatch(/^20,000 created, 0 unchanged, 0 failed \(/)
    expect(code).toBe(0)
    expect(registry.applied.size).toBe(20_000)
    expect(Math.max(...registry.applied.values())).toBe(1)
  })
})
