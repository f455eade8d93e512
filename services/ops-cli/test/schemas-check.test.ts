import { testEndpoints } from '@rollcall/dev'
import { userLifecycle } from '@rollcall/events'
import { loadSchemas } from '@rollcall/events/schemas'
import { rollcall } from './rollcall-process.js'
import { type ScriptedServices, scriptedServices, status } from './scripted-services.js'

const { schemaRegistry } = testEndpoints()

test('register, then check, on a real registry', async () => {
  const ask = (...args: string[]) => rollcall([...args, '--schema-registry', schemaRegistry])
  expect(await ask('schemas', 'register', '--json')).toMatchObject({ code: 0 })
  const { code, stdout } = await ask('schemas', 'check', '--json')
  expect(JSON.parse(stdout)).toMatchObject({ problems: [], unregistered: [], registryAsked: true, projections: null })
  expect(JSON.parse(stdout).registeredVersions).toBeGreaterThanOrEqual(6)
  expect(code).toBe(0)
})

test('check needs no registry with --offline, and says which is missing without it', async () => {
  expect(await rollcall(['schemas', 'check', '--offline'])).toMatchObject({ code: 0 })
  const { code, stderr } = await rollcall(['schemas', 'check'])
  expect(code).toBe(2)
  expect(stderr).toContain('No address of the schema registry is known')
})

describe('a registry with a history', () => {
  const created = loadSchemas().events.find(({ name }) => name === 'UserCreated')
  const subject = `${userLifecycle.name}-${userLifecycle.recordNames.UserCreated}`
  const versions = `GET /subjects/${subject}/versions`
  const PEOPLE = {
    name: 'people',
    version: 1,
    topic: userLifecycle.name,
    state: 'running',
    lagRecords: 0,
    lagSeconds: 0,
  }
  let services: ScriptedServices

  beforeEach(async () => {
    services = await scriptedServices({
      'GET /subjects': [subject, 'another.topic-Thing'],
      [versions]: [1],
      [`${versions}/1`]: { id: 7, version: 1, schema: JSON.stringify(created?.frozen[0]?.schema) },
      'GET /admin/projections': { items: [{ ...PEOPLE, parkedUsers: 0, partitions: [], rebuild: null }] },
      'POST /admin/projections/people/rehearse': { outcomes: [null, null, null, null] },
    })
    for (const recordName of Object.values(userLifecycle.recordNames)) {
      services.answers.set(`POST /subjects/${userLifecycle.name}-${recordName}`, { id: 7 })
    }
  })
  afterEach(() => services.close())

  const check = async () => {
    const args = ['schemas', 'check', '--json', '--schema-registry', services.url, '--directory', services.url]
    const { code, stdout } = await rollcall(args)
    return { code, result: JSON.parse(stdout) }
  }

  test('each projection takes events of each version, as they would stand in the topic', async () => {
    const { code, result } = await check()
    expect(result).toMatchObject({ ok: true, registeredVersions: 1, projections: ['people'] })
    expect(code).toBe(0)
    expect(services.requests).toContain('POST /admin/projections/people/rehearse')
  })

  test('a version that stands nowhere in the history is a problem, even when it is deleted', async () => {
    services.answers.set(versions, (query: URLSearchParams) => (query.get('deleted') === 'true' ? [1, 2] : [1]))
    const other = { type: 'record', name: 'UserCreated', namespace: 'io.rollcall.users', fields: [] }
    services.answers.set(`${versions}/2`, { id: 9, version: 2, schema: JSON.stringify(other) })
    const { code, result } = await check()
    expect(result.problems).toMatchObject([
      { rule: 'registered', file: subject, problem: expect.stringContaining('id 9') },
    ])
    expect(code).toBe(1)
  })

  test('an event of a version that a projection does not take is a problem with the reason', async () => {
    const failure = { code: 'ERR_X', message: 'every user has a phone' }
    services.answers.set('POST /admin/projections/people/rehearse', { outcomes: [null, failure, null, null] })
    const { code, result } = await check()
    expect(result.problems).toEqual([
      {
        rule: 'taken',
        file: subject,
        problem: 'projection people does not take an event of version 1: ERR_X every user has a phone',
      },
    ])
    expect(code).toBe(1)
  })

  test('a directory that is away is said, and nothing is called well', async () => {
    services.answers.set('GET /admin/projections', status(503, { status: 503, code: 'ERR_X', detail: 'away' }))
    const args = ['schemas', 'check', '--schema-registry', services.url, '--directory', services.url]
    expect(await rollcall(args)).toMatchObject({ code: 1, stdout: '' })
  })
})
