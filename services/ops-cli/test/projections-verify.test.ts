import { rollcall } from './rollcall-process.js'
import { type ScriptedServices, scriptedServices, status } from './scripted-services.js'

const USER = '019b8d3e-c5e0-7e0f-b5d9-5a937d60f7ef'
const VERIFY = 'POST /admin/projections/people/verify'
const REPLAY = 'POST /admin/projections/people/replay'
const EQUAL = {
  projection: 'people',
  registry: { at: '2026-01-01T00:00:00.000Z', snapshot: '1:1:', users: 2_000 },
  readModel: { users: 2_000, positions: { 0: 12 } },
  buckets: { compared: 1_024, unequal: 0 },
  content: null,
  found: {},
  repaired: 0,
  left: 0,
  items: [],
  dryRun: false,
  tookMs: 12,
}
const BEHIND = {
  userId: USER,
  kind: 'behind',
  registryVersion: 4,
  appliedVersion: 2,
  parked: false,
  repair: 'none',
}
const REPLAYED = {
  projection: 'people',
  users: 1,
  events: 3,
  failed: 0,
  failures: [],
  rows: null,
  dryRun: false,
  tookMs: 5,
}
const ndjson = (...lines: object[]) => lines.map((line) => `${JSON.stringify(line)}\n`).join('')

let services: ScriptedServices
beforeEach(async () => {
  services = await scriptedServices({})
})
afterEach(() => services.close())

const run = (...args: string[]) => rollcall(['projections', ...args, '--directory', services.url])

describe('verify', () => {
  test('is 0 when both are equal, and says of when', async () => {
    const progress = { phase: 'versions', records: 0, total: 0 }
    services.answers.set(VERIFY, ndjson({ progress }, { report: EQUAL }))
    const { code, stdout } = await run('verify', 'directory/people')
    expect(code).toBe(0)
    expect(stdout).toContain('2,000 users at the registry at 2026-01-01T00:00:00.000Z')
    expect(stdout).toContain('They are equal.')
    expect(JSON.parse((await run('verify', 'people', '--json')).stdout)).toEqual(EQUAL)
  })

  test('is 1 while something differs, and shows it by key', async () => {
    services.answers.set(VERIFY, ndjson({ report: { ...EQUAL, found: { behind: 3 }, left: 3, items: [BEHIND] } }))
    const { code, stdout } = await run('verify', 'people')
    expect(code).toBe(1)
    expect(stdout).toMatch(new RegExp(`${USER} +behind +4 +2 +-`))
    expect(stdout).toContain('… and 2 more.')
    expect(stdout).toContain('3 behind: 0 mended, 3 left.')
  })

  test('a rehearsal that would mend something is 1, the mending itself 0', async () => {
    const healed = { ...EQUAL, found: { behind: 1 }, repaired: 1, items: [{ ...BEHIND, repair: 'healed' }] }
    services.answers.set(VERIFY, ndjson({ report: { ...healed, dryRun: true } }))
    const rehearsal = await run('verify', 'people', '--repair', '--dry-run')
    expect(rehearsal).toMatchObject({ code: 1, stdout: expect.stringContaining('Nothing was done.') })
    services.answers.set(VERIFY, ndjson({ report: healed }))
    expect(await run('verify', 'people', '--repair')).toMatchObject({ code: 0 })
  })

  test('what fails on the way, or before, is said with its code', async () => {
    services.answers.set(
      VERIFY,
      ndjson({ error: { code: 'ERR_PROJECTION_REGISTRY_UNAVAILABLE', detail: 'no answer' } }),
    )
    const failed = await run('verify', 'people')
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining('ERR_PROJECTION_REGISTRY_UNAVAILABLE') })
    services.answers.set(VERIFY, status(501, { code: 'ERR_PROJECTION_REGISTRY_UNKNOWN', detail: 'not told where' }))
    expect((await run('verify', 'people')).stderr).toContain('501 ERR_PROJECTION_REGISTRY_UNKNOWN')
    services.answers.set(VERIFY, ndjson({ progress: { phase: 'versions', records: 0, total: 0 } }))
    expect((await run('verify', 'people')).stderr).toContain('it ended without a report')
  })

  test('wrong usage asks nobody', async () => {
    expect(await run('verify', 'people', '--dry-run')).toMatchObject({ code: 2 })
    expect(await run('verify', 'badges/people')).toMatchObject({ code: 2 })
    expect(services.requests).toEqual([])
  })
})

describe('replay', () => {
  test('of one user from a version', async () => {
    services.answers.set(REPLAY, ndjson({ report: REPLAYED }))
    const { code, stdout } = await run('replay', 'people', '--from', '2', '--user', USER, '--reason', 'incident 17')
    expect(code).toBe(0)
    expect(stdout).toContain('3 events of 1 user applied again, 0 users left as before')
  })

  test('a rehearsal shows the rows that would change', async () => {
    const rows = [{ table: 'person', before: { name: 'Ada' }, after: { name: 'Augusta' } }]
    services.answers.set(REPLAY, ndjson({ report: { ...REPLAYED, rows, dryRun: true } }))
    const answer = await run('replay', 'people', '--from', '1', '--user', USER, '--reason', 'incident 17', '--dry-run')
    expect(answer.stdout).toContain('name: "Ada" -> "Augusta"')
    expect(answer.stdout).toContain('Nothing was done.')
  })

  test('is 1 when a user could not be replayed, and says why', async () => {
    const failures = [{ userId: USER, problem: 'Error: not this one' }]
    services.answers.set(REPLAY, ndjson({ report: { ...REPLAYED, failed: 1, failures } }))
    const answer = await run('replay', 'people', '--from', '2026-01-31T08:00:00Z', '--reason', 'incident 17')
    expect(answer).toMatchObject({ code: 1, stdout: expect.stringContaining(`${USER}: Error: not this one`) })
  })

  test.each([
    [['--from', '2', '--reason', 'why']],
    [['--from', 'yesterday', '--reason', 'why']],
    [['--from', '2026-01-31', '--user', 'ada', '--reason', 'why']],
    [['--from', '2026-01-31']],
  ])('%j is wrong usage', async (args) => {
    expect(await run('replay', 'people', ...args)).toMatchObject({ code: 2 })
    expect(services.requests).toEqual([])
  })
})
