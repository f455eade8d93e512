import { rollcall } from './rollcall-process.js'
import { type ScriptedServices, scriptedServices } from './scripted-services.js'

const USER = '019b8d3e-c5e0-7e0f-b5d9-5a937d60f7ef'
const WHY = {
  code: 'ERR_PROJECTION_HANDLER_FAILED',
  message: 'The handler failed: 23514.',
  at: '2026-11-24T10:00:00.000Z',
}
const PARKED = { userId: USER, partition: 3, parkedAt: '2026-11-24T10:00:00.000Z', failures: [WHY], letters: 4 }
const PATH = '/admin/projections/people/dead-letters'
const BEFORE = { user_id: USER, name: 'Ada', version: 2 }

let services: ScriptedServices
beforeEach(async () => {
  services = await scriptedServices({
    [`GET ${PATH}`]: { users: [PARKED], totalUsers: 1, unnamed: [] },
    [`GET ${PATH}/${USER}`]: PARKED,
    [`POST ${PATH}/${USER}/what-if`]: {
      applied: 4,
      left: 0,
      failure: null,
      rows: [{ table: 'person', before: BEFORE, after: { ...BEFORE, name: 'Augusta', version: 6 } }],
    },
    [`POST ${PATH}/${USER}/retry`]: { applied: 2, left: 2, failure: WHY },
    [`POST ${PATH}/${USER}/discard`]: { discarded: 1, left: 3 },
  })
})
afterEach(() => services.close())

const ask = (...args: string[]) => rollcall(['dead-letters', ...args, '--directory', services.url])

test('list is 1 while somebody is parked, and says why; 0 when nobody is', async () => {
  const some = await ask('list', 'people')
  expect(some.code).toBe(1)
  expect(some.stdout).toMatch(new RegExp(`people\\s+${USER}\\s+4\\s+.*ERR_PROJECTION_HANDLER_FAILED`))
  services.answers.set(`GET ${PATH}`, { users: [], totalUsers: 0, unnamed: [] })
  expect(await ask('list', 'people')).toMatchObject({ code: 0, stdout: expect.stringContaining('No user is parked') })
})

test('show tells since when, how much waits, and every error', async () => {
  const { code, stdout } = await ask('show', 'people', USER)
  expect(code).toBe(1)
  expect(stdout).toContain('4 events wait')
  expect(stdout).toContain('The handler failed: 23514.')
})

test('what-if shows each row before and after', async () => {
  const { code, stdout } = await ask('what-if', 'people', USER)
  expect(code).toBe(0)
  expect(stdout).toContain('name: "Ada" -> "Augusta"')
  expect(stdout).not.toContain('user_id:')
  expect(stdout).toContain('4 events would be applied, 0 left.')
})

test('retry is 1 when something failed again, and says what', async () => {
  const { code, stdout } = await ask('retry', 'people', USER)
  expect(code).toBe(1)
  expect(stdout).toContain('2 events were applied, 2 left: ERR_PROJECTION_HANDLER_FAILED')
  const all = await ask('retry', 'people', '--all', '--json')
  expect(JSON.parse(all.stdout)).toMatchObject({ results: [{ userId: USER, applied: 2, left: 2 }] })
})

test('retry wants a user or --all, discard wants a reason', async () => {
  expect(await ask('retry', 'people')).toMatchObject({ code: 2, stderr: expect.stringContaining('--all') })
  expect(await ask('discard', 'people', USER)).toMatchObject({ code: 2, stderr: expect.stringContaining('--reason') })
  const done = await ask('discard', 'people', USER, '--reason', 'made by a test', '--dry-run')
  expect(done.stdout).toContain('1 event would be discarded, 3 left. Nothing was done.')
})
