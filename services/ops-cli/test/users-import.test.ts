import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, type Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { rollcall, spawnRollcall } from './rollcall-process.js'
import { type ScriptedRegistry, type Step, scriptedRegistry } from './scripted-registry.js'

let folder: string
let file: string
let registry: ScriptedRegistry

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rollcall-import-'))
  file = join(folder, 'people.csv')
})
afterEach(async () => {
  await registry.close()
  await rm(folder, { recursive: true })
})

const importFile = (...args: string[]) =>
  rollcall(['users', 'import', file, '--registry', registry.url, '--batch', '10', ...args], { cwd: folder })

/** The import of 30 users in 3 requests; the second is refused, so that the import stops in the middle. */
async function interrupted(text = csvOf(30)): Promise<void> {
  registry = await scriptedRegistry([{ act: 'answer' }, { act: 'refuse', status: 400 }])
  await writeFile(file, text)
  expect(await importFile()).toMatchObject({ code: 1 })
}

const csvOf = (count: number, first = 0) =>
  `userName,email\n${Array.from({ length: count }, (_, i) => `u${first + i},u${first + i}@example.org\n`).join('')}`

const once1 = (count: number) => {
  expect(registry.applied.size).toBe(count)
  expect(Math.max(...registry.applied.values())).toBe(1)
}

test('a good file is imported, and nothing but its users is left behind', async () => {
  registry = await scriptedRegistry()
  await writeFile(file, csvOf(25))
  const { code, stdout, stderr } = await importFile()
  expect(code).toBe(0)
  expect(stdout).toMatch(/^25 created, 0 unchanged, 0 failed \(\d+\.\d s, [\d,]+ lines\/s\)\n$/)
  expect(stderr).toBe('')
  expect(existsSync(`${file}.import.json`)).toBe(false)
  expect(existsSync(`${file}.errors.ndjson`)).toBe(false)
  once1(25)
})

test('bad lines, ours and the registry’s, go to an error file only its owner can read, and end with 1', async () => {
  registry = await scriptedRegistry()
  await writeFile(file, 'userName,email\na,a@example.org\nb\n"c,c@example.org\ntaken,t@example.org\ne,\n')
  const { code, stdout } = await importFile('--json')
  expect(code).toBe(1)
  const errors = `${file}.errors.ndjson`
  expect(JSON.parse(stdout)).toEqual({
    importId: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/),
    complete: true,
    created: 2,
    unchanged: 0,
    failed: 3,
    seconds: expect.any(Number),
    linesPerSecond: expect.any(Number),
    errors,
  })
  const lines = (await readFile(errors, 'utf8')).trimEnd().split('\n')
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { line: 3, code: 'ERR_CSV_COLUMNS', reason: '1 columns where the header has 2', original: 'b' },
    {
      line: 4,
      code: 'ERR_CSV_QUOTING',
      reason: 'a quote is opened and never closed',
      original: '"c,c@example.org',
    },
    { line: 5, code: 'ERR_USER_NAME_TAKEN', reason: 'the name is taken', original: 'taken,t@example.org' },
  ])
  expect((await stat(errors)).mode & 0o777).toBe(0o600)
})

test('an interrupted import says how to go on, and goes on', async () => {
  await interrupted()
  const state = JSON.parse(await readFile(`${file}.import.json`, 'utf8'))
  expect(state).toMatchObject({ created: 10, confirmed: { line: 11 } })
  expect((await stat(`${file}.import.json`)).mode & 0o777).toBe(0o600)
  const again = await importFile()
  expect(again).toMatchObject({ code: 2, stdout: '' })
  expect(again.stderr).toMatch(/interrupted after line 11\. Go on with the same command and --resume, or .* --restart/)
  const resumed = await importFile('--resume')
  expect(resumed).toMatchObject({ code: 0, stderr: 'Resuming after line 11.\n' })
  expect(resumed.stdout).toMatch(/^30 created/)
  expect(new Set(registry.requests.map(({ importId }) => importId))).toEqual(new Set([state.importId]))
  expect(existsSync(`${file}.import.json`)).toBe(false)
  once1(30)
})

test('another file under the same name is not resumed', async () => {
  await interrupted()
  await writeFile(file, csvOf(30, 100))
  const { code, stderr } = await importFile('--resume')
  expect(code).toBe(2)
  expect(stderr).toContain('people.csv is not the file the interrupted import read')
})

test.each([
  [['--map', 'email=-'], /must be those of the interrupted import/],
  [['--format', 'ndjson'], /must be those of the interrupted import/],
  [['--import-id', '0198c0de-0000-7000-8000-000000000009'], /leave --import-id out/],
])('a resumed import is not read in another way: %j', async (args, message) => {
  await interrupted()
  const { code, stderr } = await importFile('--resume', ...args)
  expect(code).toBe(2)
  expect(stderr).toMatch(message)
})

test('--restart begins anew under another id', async () => {
  await interrupted()
  expect(await importFile('--restart')).toMatchObject({ code: 0 })
  const ids = registry.requests.map(({ importId }) => importId)
  expect(ids.at(-1)).not.toBe(ids[0])
})

const importPipe = (stdin: string | Readable, ...args: string[]) =>
  rollcall(['users', 'import', '-', '--format', 'csv', '--registry', registry.url, '--batch', '10', ...args], {
    stdin,
    cwd: folder,
  })

test('a pipe is imported, and named by its import id when it stops', async () => {
  registry = await scriptedRegistry([{ act: 'answer' }, ...refusals(50)])
  const id = '0198c0de-0000-7000-8000-00000000000a'
  const first = await importPipe(csvOf(20), '--import-id', id, '--give-up-after', '1')
  expect(first.code).toBe(1)
  expect(first.stderr).toContain(`Send the same input again with --import-id ${id}`)
  await registry.close()
  registry = await scriptedRegistry()
  const second = await importPipe(csvOf(20), '--import-id', id)
  expect(second).toMatchObject({ code: 0, stderr: '' })
  expect(registry.requests[0]).toEqual({ importId: id, firstLine: 1, lines: 10 })
})

test('an import that stops does not wait for a pipe that stays open', async () => {
  registry = await scriptedRegistry([{ act: 'refuse', status: 400 }])
  const silent = new PassThrough()
  silent.write(csvOf(15))
  expect(await importPipe(silent)).toMatchObject({ code: 1, stderr: expect.stringContaining('refused') })
  expect(silent.destroyed).toBe(true)
})

const refusals = (count: number): Step[] => Array.from({ length: count }, () => ({ act: 'refuse', status: 503 }))

test('Ctrl-C stops it with advice', async () => {
  registry = await scriptedRegistry([{ act: 'answer' }, { act: 'hang' }])
  await writeFile(file, csvOf(30))
  const stop = new AbortController()
  const running = rollcall(['users', 'import', file, '--registry', registry.url, '--batch', '10'], {
    cwd: folder,
    signal: stop.signal,
  })
  await until(() => registry.requests.length === 2)
  stop.abort()
  const { code, stdout, stderr } = await running
  expect(code).toBe(1)
  expect(stdout).toMatch(/^Not finished: 10 created/)
  expect(stderr).toMatch(/Interrupted\. 10 lines are confirmed; go on with: rollcall users import .* --resume/)
})

test('Ctrl-C is heard while a pipe is silent', async () => {
  registry = await scriptedRegistry()
  const silent = new PassThrough()
  silent.write(csvOf(15))
  const stop = new AbortController()
  const running = rollcall(['users', 'import', '-', '--format', 'csv', '--registry', registry.url, '--batch', '10'], {
    stdin: silent,
    cwd: folder,
    signal: stop.signal,
  })
  await until(() => registry.applied.size === 10)
  stop.abort()
  expect(await running).toMatchObject({ code: 1, stderr: expect.stringContaining('Interrupted.') })
})

test('kill -9 at any moment, then --resume: every line once', async () => {
  // The first kill comes before anything is confirmed: what hangs has done its lines all the same.
  registry = await scriptedRegistry([
    { act: 'hang' },
    { act: 'answer' },
    { act: 'hang' },
    { act: 'answer' },
    { act: 'answer' },
    { act: 'hang' },
  ])
  await writeFile(file, csvOf(60).replace('u15,', '"u15,'))
  const args = ['users', 'import', file, '--registry', registry.url, '--batch', '10']
  for (const [at, seen] of [1, 3, 6].entries()) {
    const child = spawnRollcall(at === 0 ? args : [...args, '--resume'], folder)
    const ended = once(child, 'exit')
    await until(() => registry.requests.length === seen)
    child.kill('SIGKILL')
    await ended
  }
  const last = await importFile('--resume')
  expect(last).toMatchObject({ code: 1, stdout: expect.stringMatching(/^59 created, 0 unchanged, 1 failed/) })
  const errors = (await readFile(`${file}.errors.ndjson`, 'utf8')).trimEnd().split('\n')
  expect(errors.map((line) => JSON.parse(line).line)).toEqual([17])
  once1(59)
})

async function until(condition: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 20_000; !condition(); ) {
    if (Date.now() > deadline) throw new Error('it never happened')
    await delay(10)
  }
}
