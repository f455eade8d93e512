import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openImportFailures } from '../src/import-failures.js'
import type { ImportRecord } from '../src/import-record.js'
import { type ImportSessionOptions, runImportSession } from '../src/import-session.js'
import type { ImportState } from '../src/import-state.js'
import { type ScriptedRegistry, type Step, scriptedRegistry } from './scripted-registry.js'

let folder: string
let registry: ScriptedRegistry

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rollcall-import-'))
})
afterEach(async () => {
  await registry.close()
  await rm(folder, { recursive: true })
})

const fresh: ImportState = {
  kind: 'rollcall-import',
  importId: '0198c0de-0000-7000-8000-000000000000',
  source: { name: 'people.csv', bytes: 0, fingerprint: '', reading: '' },
  confirmed: { line: 0, byte: 0 },
  usersAnswered: 0,
  created: 0,
  unchanged: 0,
  failed: 0,
  errorFileBytes: 0,
  startedAt: '2026-01-01T00:00:00.000Z',
}

const user = (line: number, name = `u${line}`): ImportRecord => ({
  kind: 'user',
  line,
  json: JSON.stringify({ userName: name }),
  original: name,
  end: { line, byte: line * 10 },
})
const bad = (line: number): ImportRecord => ({
  kind: 'bad',
  line,
  code: 'ERR_CSV_COLUMNS',
  reason: 'too few',
  original: `bad${line}`,
  end: { line, byte: line * 10 },
})

async function* after(records: readonly ImportRecord[], { confirmed }: ImportState) {
  yield* records.filter(({ end }) => end.byte > confirmed.byte)
}

interface Run {
  readonly notes: string[]
  readonly saved: ImportState[]
  readonly final: Promise<ImportState>
}

/** Runs a session over the records behind `state`, with short pauses. */
function run(records: readonly ImportRecord[], state = fresh, options: Partial<ImportSessionOptions> = {}): Run {
  const notes: string[] = []
  const saved: ImportState[] = []
  const final = (async () => {
    const failures = await openImportFailures(join(folder, 'errors.ndjson'), state.errorFileBytes)
    try {
      return await runImportSession({
        registryUrl: registry.url,
        records: after(records, state),
        state,
        failures,
        batchSize: 10,
        giveUpAfterMs: 5_000,
        save: async (reached) => void saved.push(reached),
        note: (line) => void notes.push(line),
        signal: new AbortController().signal,
        firstPauseMs: 1,
        ...options,
      })
    } finally {
      await failures.close()
    }
  })()
  return { notes, saved, final }
}

const users = (count: number) => Array.from({ length: count }, (_, i) => user(i + 1))
const errorLines = async () =>
  (await readFile(join(folder, 'errors.ndjson'), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { line: number; code: string; original: string })

const appliedOnce = (count: number) => {
  expect(registry.applied.size).toBe(count)
  expect(Math.max(...registry.applied.values())).toBe(1)
}

test('lines are numbered without a gap, whatever lies between them', async () => {
  registry = await scriptedRegistry()
  const records = [user(2), bad(3), user(4), user(7), bad(8), ...Array.from({ length: 20 }, (_, i) => user(i + 9))]
  const state = await run(records).final
  expect(registry.requests.map(({ firstLine, lines }) => [firstLine, lines])).toEqual([
    [1, 10],
    [11, 10],
    [21, 3],
  ])
  expect(state).toMatchObject({ created: 23, failed: 2, usersAnswered: 23, confirmed: { line: 28, byte: 280 } })
  appliedOnce(23)
})

const CRASHES: [string, Step[]][] = [
  ['dies before it answers', [{ act: 'die', lines: 10, answered: 0 }]],
  ['dies in the middle of its answer', [{ act: 'answer' }, { act: 'die', lines: 7, answered: 4 }]],
  ['dies again and again', Array.from({ length: 12 }, () => ({ act: 'die', lines: 3, answered: 1 }) as const)],
  ['ends its answer early', [{ act: 'stop early', lines: 6 }]],
  [
    'answers 503 while its database restarts',
    [
      { act: 'refuse', status: 503 },
      { act: 'refuse', status: 503 },
    ],
  ],
  ['asks for patience', [{ act: 'refuse', status: 429 }]],
]

test.each(CRASHES)('a registry that %s does no line twice and loses none', async (_, script) => {
  registry = await scriptedRegistry(script)
  const { final, notes, saved } = run(users(35))
  expect(await final).toMatchObject({ created: 35, failed: 0, usersAnswered: 35 })
  appliedOnce(35)
  const lines = saved.map(({ confirmed }) => confirmed.line)
  expect(lines).toEqual([...lines].sort((a, b) => a - b))
  expect(notes.filter((note) => note.includes('trying again')).length).toBeLessThanOrEqual(12)
})

test('a wait is said once, and so is its end', async () => {
  registry = await scriptedRegistry(Array.from({ length: 5 }, () => ({ act: 'refuse', status: 503 }) as const))
  const { final, notes } = run(users(5))
  await final
  expect(notes).toEqual([
    'The registry answers 503; confirmed up to line 0, trying again for up to 5 s.',
    'The registry answers again; going on after line 5.',
  ])
})

test('a registry that goes silent counts as gone', async () => {
  registry = await scriptedRegistry([{ act: 'hang' }])
  const { final, notes } = run(users(5), fresh, { silenceMs: 50 })
  expect(await final).toMatchObject({ created: 5 })
  expect(notes[0]).toMatch(/no answer in time/)
  appliedOnce(5)
})

test.each([0, 1, 2, 3, 5])('a session killed after %i saves goes on where the last one stands', async (kills) => {
  registry = await scriptedRegistry([{ act: 'answer' }, { act: 'die', lines: 9, answered: 2 }])
  const records = Array.from({ length: 45 }, (_, i) =>
    i % 9 === 4 ? bad(i + 1) : user(i + 1, i % 9 === 7 ? `taken${i}` : `u${i}`),
  )
  let state = fresh
  const killed = run(records, fresh, {
    save: async (reached) => {
      // What a SIGKILL between the error file and the state file leaves behind: the file is ahead of the state.
      if (kills === 0 || reached.confirmed.line > 8 * kills) throw new Error('killed')
      state = reached
    },
  })
  await expect(killed.final).rejects.toThrow('killed')
  const final = await run(records, state).final
  expect(final).toMatchObject({ created: 35, failed: 10, usersAnswered: 40 })
  appliedOnce(35)
  const failed = await errorLines()
  expect(failed.map(({ line }) => line)).toEqual([5, 8, 14, 17, 23, 26, 32, 35, 41, 44])
  expect(failed[1]).toEqual({ line: 8, code: 'ERR_USER_NAME_TAKEN', reason: 'the name is taken', original: 'taken7' })
})

test('a whole request that is refused ends the session at once, with what the registry said', async () => {
  const problem = { code: 'ERR_BODY_TOO_LARGE', detail: 'At most 1 MiB.' }
  registry = await scriptedRegistry([{ act: 'answer' }, { act: 'refuse', status: 413, problem }])
  const { final, saved } = run(users(30))
  await expect(final).rejects.toMatchObject({
    code: 'ERR_SERVICE_REFUSED',
    message: 'The user registry refused POST /v1/users/import with 413 ERR_BODY_TOO_LARGE: At most 1 MiB.',
  })
  expect(saved.at(-1)).toMatchObject({ created: 10 })
})

test('a registry that stays away is given up, and what was confirmed stands', async () => {
  registry = await scriptedRegistry()
  const saved: ImportState[] = []
  const { final } = run(users(30), fresh, {
    giveUpAfterMs: 300,
    async save(reached) {
      saved.push(reached)
      await registry.close()
    },
  })
  await expect(final).rejects.toMatchObject({ code: 'ERR_IMPORT_GIVEN_UP' })
  expect(saved.map(({ created }) => created)).toEqual([10])
})

test('an answer that is not understood is neither success nor tried again', async () => {
  registry = await scriptedRegistry([{ act: 'answer' }, { act: 'babble' }])
  const { final, saved } = run(users(30))
  await expect(final).rejects.toMatchObject({ code: 'ERR_SERVICE_ANSWER_UNKNOWN' })
  expect(saved.map(({ created }) => created)).toEqual([10])
  expect(registry.requests).toHaveLength(2)
})

test('an interrupted session stops between requests', async () => {
  registry = await scriptedRegistry()
  const stop = new AbortController()
  const { final, saved } = run(users(30), fresh, {
    signal: stop.signal,
    async save(reached) {
      saved.push(reached)
      stop.abort()
    },
  })
  await expect(final).rejects.toMatchObject({ code: 'ERR_COMMAND_INTERRUPTED' })
  expect(registry.requests).toHaveLength(1)
})

test('a registry that only ever answers with nothing is given up too', async () => {
  registry = await scriptedRegistry(Array.from({ length: 1_000 }, () => ({ act: 'stop early', lines: 0 }) as const))
  const { final } = run(users(5), fresh, { giveUpAfterMs: 200 })
  await expect(final).rejects.toMatchObject({ code: 'ERR_IMPORT_GIVEN_UP' })
})
