import { rollcall } from './rollcall-process.js'
import { type ScriptedServices, scriptedServices, status } from './scripted-services.js'

const USER = '019b8d3e-c5e0-7e0f-b5d9-5a937d60f7ef'
const PATH = `GET /v1/users/${USER}/propagation`
const PEOPLE = {
  service: 'directory',
  projection: 'people',
  status: 'applied',
  version: 4,
  lagRecords: 0,
  since: null,
  instance: 'host:1:ab',
}
const BADGES = { ...PEOPLE, service: 'badges', status: 'pending', version: 3, lagRecords: 1_234 }
const answer = (...subscribers: object[]) => ({ userId: USER, version: 4, subscribers })

let services: ScriptedServices
beforeEach(async () => {
  services = await scriptedServices({ [PATH]: answer(PEOPLE, BADGES) })
})
afterEach(() => services.close())

const ask = (...args: string[]) => rollcall(['users', 'propagation', USER, ...args, '--registry', services.url])

test('is 1 while somebody has not applied the change, and says who', async () => {
  const { code, stdout } = await ask()
  expect(code).toBe(1)
  expect(stdout).toMatch(/directory\/people +applied +4 +0 +- +host:1:ab/)
  expect(stdout).toMatch(/badges\/people +pending +3 +1,234/)
  expect(stdout).toContain('Version 4 is missing at 1 subscriber of 2.')
})

test('is 0 when all have, for people and for machines', async () => {
  services.answers.set(PATH, answer(PEOPLE))
  expect(await ask()).toMatchObject({ code: 0, stdout: expect.stringContaining('applied everywhere') })
  const { code, stdout } = await ask('--json')
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toEqual(answer(PEOPLE))
})

test('--wait asks on for the version of the first answer, until all have it', async () => {
  const asked: (string | null)[] = []
  services.answers.set(PATH, (query: URLSearchParams) => {
    asked.push(query.get('version'))
    return asked.length < 3 ? answer(BADGES) : answer({ ...BADGES, status: 'applied' })
  })
  expect(await ask('--wait')).toMatchObject({ code: 0 })
  expect(asked).toEqual([null, '4', '4'])
})

test('--wait gives up after the timeout, with what is known', async () => {
  const { code, stdout } = await ask('--wait', '--timeout', '1', '--json')
  expect(code).toBe(1)
  expect(JSON.parse(stdout)).toEqual(answer(PEOPLE, BADGES))
})

test('--version is what is asked for', async () => {
  services.answers.set(PATH, (query: URLSearchParams) => answer({ ...PEOPLE, version: Number(query.get('version')) }))
  const { stdout } = await ask('--version', '2', '--json')
  expect(JSON.parse(stdout)).toMatchObject({ subscribers: [{ version: 2 }] })
  expect(await rollcall(['--version'])).toMatchObject({ code: 0, stdout: '0.1.0\n' })
})

test('a registry that does not know yet, or an id that is none, is said', async () => {
  services.answers.set(PATH, status(503, { status: 503, code: 'ERR_SUBSCRIBERS_UNKNOWN', detail: 'not yet' }))
  expect(await ask()).toMatchObject({ code: 1, stderr: expect.stringContaining('ERR_SUBSCRIBERS_UNKNOWN') })
  expect(await rollcall(['users', 'propagation', '42'])).toMatchObject({ code: 2 })
})
