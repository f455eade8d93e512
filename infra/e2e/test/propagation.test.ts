import { createPool } from '@rollcall/database'
import { databaseUrl } from '@rollcall/dev'
import { silentLogger } from '@rollcall/observability/testing'
import { request } from '../src/stack/http-client.js'
import { type OwnStack, startOwnStack } from '../src/stack/own-stack.js'
import { rollcall } from '../src/stack/rollcall.js'
import { type ServiceProcess, serviceProcess } from '../src/stack/service-process.js'
import { until } from '../src/stack/until.js'

const PHONE = '+15550001111'

let stack: OwnStack
let badges: ServiceProcess
let payroll: ServiceProcess

beforeAll(async () => {
  stack = await startOwnStack({ fsync: false })
  const another = (name: string) =>
    serviceProcess({
      service: 'directory',
      name,
      endpoints: stack.endpoints,
      directory: stack.directory,
      database: databaseUrl(stack.endpoints.postgres, name),
      env: { SERVICE_NAME: name, REGISTRY_URL: stack.services.registry.url },
    })
  badges = await another('badges')
  payroll = await another('payroll')
  await Promise.all([badges.start(), payroll.start()])
}, 180_000)

afterAll(async () => {
  await Promise.all([badges?.stop(), payroll?.stop()])
  await stack?.stop()
}, 60_000)

const registry = (method: string, path: string, body?: unknown) =>
  request(method, `${stack.services.registry.url}${path}`, {
    timeoutMs: 60_000,
    ...(body === undefined ? {} : { body }),
  })

interface Propagation {
  readonly version: number
  readonly subscribers: readonly {
    readonly service: string
    readonly status: string
    readonly [fact: string]: unknown
  }[]
}

const statuses = ({ subscribers }: Propagation) =>
  Object.fromEntries(subscribers.map(({ service, status }) => [service, status]))

const propagation = async (id: string) => (await registry('GET', `/v1/users/${id}/propagation`)).body as Propagation

/** Something only this database refuses, by hand. */
async function badgesDatabase(sql: string): Promise<void> {
  const url = databaseUrl(stack.endpoints.postgres, 'badges')
  const pool = createPool({ url, max: 1, applicationName: 'test' }, { logger: silentLogger })
  await pool.query(sql)
  await pool.end()
}

test('who has a change with one subscriber killed, one parked and one live, and after each is mended', async () => {
  const { body } = await registry('POST', '/v1/users', { userName: 'ada', emails: [{ value: 'ada@example.org' }] })
  const { id } = body as { id: string }
  await until({ what: 'three subscribers have the user', timeoutMs: 60_000 }, async () => {
    const found = statuses(await propagation(id))
    return Object.keys(found).length === 3 && Object.values(found).every((status) => status === 'applied')
  })

  await payroll.kill('SIGKILL')
  await badgesDatabase(`ALTER TABLE person ADD CONSTRAINT person_odd CHECK (phone <> '${PHONE}')`)
  const write = await registry('PATCH', `/v1/users/${id}?wait=directory/people,badges/people&timeoutMs=30000`, {
    phone: PHONE,
  })
  expect(write.status).toBe(200)
  expect(write.headers.get('rollcall-version')).toBe(`${id}@2`)
  // Answered before the time is up: a parked one waits for somebody's hand.
  expect(write.headers.get('rollcall-propagation')).toBe('pending; waiting-for="badges/people"; parked="badges/people"')
  const broken = { directory: 'applied', badges: 'parked', payroll: 'unreachable' }
  const shown = await propagation(id)
  expect(statuses(shown)).toEqual(broken)
  expect(shown.subscribers).toContainEqual(
    expect.objectContaining({ service: 'badges', version: 1, since: expect.stringMatching(/Z$/) }),
  )
  expect(shown.subscribers).toContainEqual(
    expect.objectContaining({ service: 'payroll', version: null, since: expect.stringMatching(/Z$/) }),
  )
  const said = await rollcall<Propagation>(stack.endpointsPath, 'users', 'propagation', id)
  expect([said.code, statuses(said.report)]).toEqual([1, broken])

  await badgesDatabase('ALTER TABLE person DROP CONSTRAINT person_odd')
  await rollcall(stack.endpointsPath, 'dead-letters', 'retry', 'people', id, '--directory', badges.url)
  expect(statuses(await propagation(id))).toEqual({ ...broken, badges: 'applied' })

  await payroll.start()
  const mended = await rollcall<Propagation>(
    stack.endpointsPath,
    'users',
    'propagation',
    id,
    '--wait',
    '--timeout',
    '60',
  )
  expect([mended.code, statuses(mended.report)]).toEqual([
    0,
    { directory: 'applied', badges: 'applied', payroll: 'applied' },
  ])
  const all = await registry('POST', `/v1/users/${id}/suspend?wait=all&timeoutMs=30000`)
  expect(all.headers.get('rollcall-propagation')).toBe('applied')
}, 240_000)
