import { rollcall } from './rollcall-process.js'
import { type ScriptedServices, scriptedServices, status } from './scripted-services.js'

const USER = '0190c2f0-0000-7000-8000-000000000001'
const PLAN = { id: 4, messages: 12_000, firstAt: '2026-01-31T08:00:00.000Z', lastAt: '2026-02-01T08:00:00.000Z' }
const JOB = { id: 4, sent: 0, startedAt: null as string | null, finishedAt: null as string | null }

let relay: ScriptedServices
beforeEach(async () => {
  relay = await scriptedServices({ 'POST /admin/republish': PLAN })
})
afterEach(() => relay.close())

const republish = (...args: string[]) => rollcall(['outbox', 'republish', ...args, '--relay', relay.url])

test('it is asked of the relay, followed to its end, and says how many were sent', async () => {
  let looks = 0
  relay.answers.set('GET /admin/republish/4', () =>
    ++looks < 3 ? { ...JOB, sent: 500 } : { ...JOB, sent: 12_000, finishedAt: '2026-02-02T00:00:00.000Z' },
  )
  expect(await republish('--since', '2026-01-31T08:00:00Z', '--reason', 'incident 17')).toMatchObject({
    code: 0,
    stdout: '12,000 events written since 2026-01-31T08:00:00.000Z sent again.\n',
  })
  expect(looks).toBe(3)
})

test('a dry run says what would be sent, for people and for machines', async () => {
  relay.answers.set('POST /admin/republish', { ...PLAN, id: null })
  const people = await republish('--user', USER, '--reason', 'look', '--dry-run')
  expect(people).toMatchObject({ code: 0 })
  expect(people.stdout).toMatch(
    /^12,000 events of user 0190c2f0-.*, from 2026-01-31T.* would be sent again\. Nothing was done\.\n$/,
  )
  const { stdout } = await republish('--user', USER, '--reason', 'look', '--dry-run', '--json')
  expect(JSON.parse(stdout)).toMatchObject({ id: null, messages: 12_000, dryRun: true, sent: 0 })
})

test('nothing to send is exit code 1', async () => {
  relay.answers.set('POST /admin/republish', { id: null, messages: 0, firstAt: null, lastAt: null })
  expect(await republish('--user', USER, '--reason', 'look')).toMatchObject({
    code: 1,
    stdout: `The outbox keeps no events of user ${USER}; nothing was done.\n`,
  })
})

test.each([
  ['neither user nor time', ['--reason', 'x']],
  ['both', ['--user', USER, '--since', '2026-01-31', '--reason', 'x']],
  ['no reason', ['--user', USER]],
  ['a time that is none', ['--since', 'yesterday', '--reason', 'x']],
])('%s is wrong usage, and nothing is asked', async (_name, args) => {
  expect((await republish(...args)).code).toBe(2)
  expect(relay.requests).toEqual([])
})

test('a refusal is told', async () => {
  relay.answers.set(
    'POST /admin/republish',
    status(400, { code: 'ERR_REQUEST_INVALID', detail: 'since is in the future' }),
  )
  const { code, stderr } = await republish('--since', '2999-01-01', '--reason', 'x')
  expect(code).toBe(1)
  expect(stderr).toContain('since is in the future')
})
