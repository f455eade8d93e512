import { testEndpoints } from '@rollcall/dev'
import { rollcall } from './rollcall-process.js'
import { type ScriptedServices, scriptedServices, status } from './scripted-services.js'

const READY = { status: 'ready', checks: {} }
const OUTBOX = {
  process: { instance: 'a', role: 'leader', epoch: 3 },
  outbox: {
    owner: 'a',
    active: true,
    epoch: 3,
    backLog: false,
    shipped: 1_234_567,
    waiting: 0,
    oldestWaitingMs: 0,
    oldestWriter: null,
  },
}
const HOLDER = {
  kind: 'session',
  name: 'psql',
  pid: 77 as number | null,
  state: 'idle in transaction',
  database: 'user_registry',
  ageMs: 90_000,
  transactions: 4_711 as number | null,
  standstillInMs: 32_400_000 as number | null,
  walBytes: null as number | null,
  holdsBack: ['vacuum', 'retention'],
  wayOut: 'SELECT pg_terminate_backend(77);',
}
const SLOT = {
  ...HOLDER,
  kind: 'replication slot',
  name: 'old_replica',
  pid: null,
  state: 'inactive',
  ageMs: 7_200_000,
  transactions: null,
  standstillInMs: null,
  walBytes: 2_147_483_648,
  holdsBack: ['disk'],
  wayOut: "SELECT pg_drop_replication_slot('old_replica');",
}
const PARTITION = { partition: 0, position: 40, highWatermark: 40, lagRecords: 0, state: 'running', failure: null }
const PEOPLE = {
  name: 'people',
  version: 1,
  topic: 'users.lifecycle.v1',
  state: 'running',
  lagRecords: 0,
  lagSeconds: 0,
  parkedUsers: 0,
  partitions: [PARTITION, { ...PARTITION, partition: 1, highWatermark: 60, position: 60 }],
  rebuild: null as object | null,
}
const FAILURE = { code: 'ERR_EVENT_MALFORMED', message: 'A record is no event.' }

let services: ScriptedServices
beforeEach(async () => {
  services = await scriptedServices({
    'GET /health/ready': READY,
    'GET /status': OUTBOX,
    'GET /admin/projections': { items: [PEOPLE] },
  })
})
afterEach(() => services.close())

const ask = (...args: string[]) =>
  rollcall([...args, '--registry', services.url, '--relay', services.url, '--directory', services.url])

describe('status', () => {
  const { kafka, schemaRegistry } = testEndpoints()
  const ofStack = ['--kafka', kafka, '--schema-registry', schemaRegistry]

  test('is 0 when all is well, for people and for machines', async () => {
    const people = await ask('status', ...ofStack)
    expect(people).toMatchObject({ code: 0, stderr: '' })
    expect(people.stdout).toMatch(/^SERVICE +STATE +ADDRESS\nuser registry +ready +http/)
    expect(people.stdout).toMatch(/\na +3 +1,234,567 +0 +0\.0 s\n/)
    expect(people.stdout).toContain('All is well.')
    const { stdout } = await ask('status', '--json', ...ofStack)
    expect(JSON.parse(stdout)).toMatchObject({
      ok: true,
      problems: [],
      outbox: { epoch: 3 },
      projections: [{ name: 'people' }],
      services: expect.arrayContaining([{ name: 'Kafka brokers', address: kafka, state: 'ready' }]),
    })
  })

  test.each<[string, string, unknown, RegExp]>([
    [
      'a service that is not ready',
      'GET /health/ready',
      status(503, { status: 'not ready', checks: { database: { status: 'failed', reason: 'not migrated yet' } } }),
      /directory is not ready: database: not migrated yet/,
    ],
    [
      'no relay in the lead',
      'GET /status',
      { ...OUTBOX, outbox: { ...OUTBOX.outbox, owner: null, active: false } },
      /no relay holds the lead/,
    ],
    [
      'events that wait',
      'GET /status',
      { ...OUTBOX, outbox: { ...OUTBOX.outbox, waiting: 4_711, oldestWaitingMs: 33_000 } },
      /4,711 events wait in the outbox, the oldest for 33 s/,
    ],
    [
      'an open transaction',
      'GET /status',
      { ...OUTBOX, outbox: { ...OUTBOX.outbox, holders: [HOLDER] } },
      /session psql \(pid 77\), idle in transaction for 1 m 30 s, holds back vacuum, retention \(4,711 transactions behind; writes stop in 9 h 00 m at this rate\): SELECT pg_terminate_backend\(77\);/,
    ],
    [
      'a forgotten slot',
      'GET /status',
      { ...OUTBOX, outbox: { ...OUTBOX.outbox, holders: [SLOT] } },
      /replication slot old_replica, inactive for 2 h 00 m, holds back disk \(2,048 MB of WAL kept\): SELECT pg_drop_replication_slot\('old_replica'\);/,
    ],
    [
      'a stopped partition',
      'GET /admin/projections',
      { items: [{ ...PEOPLE, partitions: [{ ...PARTITION, state: 'stopped', failure: FAILURE }] }] },
      /projection people partition 0 has stopped: ERR_EVENT_MALFORMED A record is no event\./,
    ],
    [
      'parked users',
      'GET /admin/projections',
      { items: [{ ...PEOPLE, parkedUsers: 2 }] },
      /people has 2 parked users; see rollcall dead-letters list people/,
    ],
    ['a paused projection', 'GET /admin/projections', { items: [{ ...PEOPLE, state: 'paused' }] }, /people is paused/],
    [
      'a projection that is behind',
      'GET /admin/projections',
      { items: [{ ...PEOPLE, lagRecords: 9_000, lagSeconds: 61 }] },
      /people is 9,000 events and 61 s behind/,
    ],
    [
      'an answer nobody knows',
      'GET /status',
      { strange: true },
      /outbox relay is ready, but does not say how far it is/,
    ],
  ])('is 1 with a sentence for %s', async (_, path, answer, sentence) => {
    services.answers.set(path, answer)
    const { code, stdout } = await ask('status', ...ofStack)
    expect(code).toBe(1)
    expect(stdout).toMatch(sentence)
  })

  test('tells everything that is down at once', async () => {
    const nobody = 'http://127.9.9.9:7400'
    const args = ['registry', 'relay', 'directory', 'schema-registry'].flatMap((name) => [`--${name}`, nobody])
    const { code, stdout } = await rollcall(['status', '--json', '--kafka', kafka, ...args])
    expect(code).toBe(1)
    const { problems, outbox } = JSON.parse(stdout) as { problems: string[]; outbox: unknown }
    expect(problems.map((problem) => problem.replace(/ is down.*/, ''))).toEqual([
      'user registry',
      'outbox relay',
      'directory',
      'schema registry',
    ])
    expect(outbox).toBeNull()
  })
})

describe('projections', () => {
  test('list shows each, and is 1 when a partition has stopped', async () => {
    const good = await ask('projections', 'list')
    expect(good).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/\npeople +1 +running +0 +0\.0 +2 +0 +0 +-\n/),
    })
    services.answers.set('GET /admin/projections', {
      items: [{ ...PEOPLE, partitions: [{ ...PARTITION, state: 'stopped', failure: FAILURE }] }],
    })
    const bad = await ask('projections', 'list', '--json')
    expect(bad.code).toBe(1)
    expect(JSON.parse(bad.stdout)).toMatchObject({ projections: [{ name: 'people' }] })
  })

  test.each(['pause', 'resume'])('%s acts, and passes on a refusal', async (act) => {
    services.answers.set(`POST /admin/projections/people/${act}`, PEOPLE)
    const done = await ask('projections', act, 'people', '--json')
    expect(done.code).toBe(0)
    expect(JSON.parse(done.stdout)).toEqual({ projection: 'people', done: act })
    const problem = { code: 'ERR_PROJECTION_UNKNOWN', detail: 'No projection is called nobody.' }
    services.answers.set(`POST /admin/projections/nobody/${act}`, status(404, problem))
    const refused = await ask('projections', act, 'nobody')
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('404 ERR_PROJECTION_UNKNOWN: No projection is called nobody.')
  })

  const POST = 'POST /admin/projections/people/rebuild'
  const PLAN = {
    kind: 'fold',
    events: 100,
    tables: ['public.person'],
    rows: 90,
    bytes: 2e6,
    seconds: 125,
    estimatedBy: 'sample',
  }
  beforeEach(() => services.answers.set('GET /admin/projections/people/rebuild', PLAN))

  test('rebuild does nothing without --yes where nobody can be asked, nor with --dry-run', async () => {
    const unconfirmed = await ask('projections', 'rebuild', 'people')
    expect(unconfirmed).toMatchObject({ code: 2, stdout: '' })
    expect(unconfirmed.stderr).toContain('A rebuild of people reads 100 events of users.lifecycle.v1')
    const dry = await ask('projections', 'rebuild', 'people', '--dry-run', '--yes', '--json')
    expect(dry.code).toBe(0)
    expect(JSON.parse(dry.stdout)).toEqual({ projection: 'people', dryRun: true, ...PLAN })
    expect((await ask('projections', 'rebuild', 'people', '--dry-run')).stdout).toMatch(
      /reads 100 events of users.lifecycle.v1 and fills public.person anew .*about 2 m 05 s by a sample/,
    )
    expect(services.requests).not.toContain(POST)
  })

  test('rebuild of a projection nobody has names those that are there', async () => {
    const { code, stderr } = await ask('projections', 'rebuild', 'nobody', '--yes')
    expect(code).toBe(2)
    expect(stderr).toContain('No projection is called nobody; there are people.')
  })

  test.each([
    ['done', 0, /is rebuilt from 100 events in 2 s\.\n$/],
    ['failed', 1, /failed, the read model is as before: no room/],
    ['built', 1, /1 row differs .*\n {2}person u1: name "b" -> "a"\n.*projections cut-over people/],
  ])('rebuild --wait follows its own rebuild, not the one before, until it is %s', async (phase, code, said) => {
    const before = { kind: 'fold', phase: 'done', events: 1, total: 1, startedAt: '2026-01-01T00:00:00.000Z' }
    const rebuild = { ...before, events: 50, total: 100, startedAt: '2026-01-02T00:00:00.000Z' }
    const end = {
      events: 100,
      phase,
      finishedAt: '2026-01-02T00:00:02.000Z',
      ...(phase === 'failed' && { error: 'no room' }),
      ...(phase === 'built' && { error: '1 rows differ from the live side', proof: PROOF }),
    }
    const seen = [before, before, { ...rebuild, phase: 'reading' }, { ...rebuild, ...end }]
    services.answers.set('GET /admin/projections', () => ({ items: [{ ...PEOPLE, rebuild: seen.shift() }] }))
    services.answers.set(POST, PEOPLE)
    const result = await ask('projections', 'rebuild', 'people', '--yes', '--wait')
    expect(result.code).toBe(code)
    expect(result.stdout).toMatch(said)
    expect(services.requests.filter((one) => one === POST)).toHaveLength(1)
    expect(seen).toEqual([])
  })
})

const PROOF = {
  rows: 200,
  differing: 1,
  differences: [{ table: 'person', key: 'u1', live: { name: 'b' }, other: { name: 'a' } }],
  reshaped: [],
  parkedLive: 0,
  parkedNext: 0,
  tookMs: 12,
}

test.each([
  ['cut-over', 'cut-over', 'next'],
  ['rollback', 'roll-back', 'prev'],
  ['abandon', 'abandon-rebuild', 'next'],
])('projections %s asks, tells what it would do, and does it', async (verb, path, side) => {
  const post = `POST /admin/projections/people/${path}`
  const there = { side, version: 2, state: 'running', lagRecords: 3, parkedUsers: 0, expiresAt: null }
  services.answers.set('GET /admin/projections', { items: [{ ...PEOPLE, sides: [there] }] })
  services.answers.set(post, PEOPLE)
  expect(await ask('projections', verb, 'people')).toMatchObject({ code: 2 })
  const dry = await ask('projections', verb, 'people', '--dry-run')
  expect(dry).toMatchObject({ code: 0, stdout: expect.stringContaining('version 2, 3 records behind the topic') })
  expect(services.requests).not.toContain(post)
  expect(await ask('projections', verb, 'people', '--yes')).toMatchObject({ code: 0 })
  expect(services.requests).toContain(post)
  services.answers.set('GET /admin/projections', { items: [PEOPLE] })
  expect(await ask('projections', verb, 'people', '--dry-run')).toMatchObject({ code: 1 })
})

describe('users compare', () => {
  const uuid = (n: number) => `0198c0de-0000-7000-8000-${String(n).padStart(12, '0')}`
  const user = (n: number) => ({
    id: uuid(n),
    tenantId: 'default',
    userName: `secret${n}`,
    emails: [{ value: `secret${n}@example.org`, primary: true }],
    name: { given: 'Ada' },
    attributes: { b: [1, { c: 2 }], a: 'x' },
    status: 'active',
    version: 1,
    createdAt: '2026-01-01T00:00:00.000Z',
    updatedAt: '2026-01-01T00:00:00.000Z',
  })
  type User = ReturnType<typeof user> & Record<string, unknown>
  /** As the directory shows it: absent members are null, members in another order. */
  const person = (n: number) => ({
    ...user(n),
    attributes: { a: 'x', b: [1, { c: 2 }] },
    name: { display: null, given: 'Ada' },
    phone: null,
    locale: null,
    displayName: 'Ada',
  })

  /** Both listings, three items a page, and both single reads. */
  function serve(users: () => User[], people: () => User[]) {
    const sides = [
      ['/v1/users', users],
      ['/v1/people', people],
    ] as const
    for (const [path, items] of sides) {
      services.answers.set(`GET ${path}`, (query: URLSearchParams) => {
        const from = Number(query.get('cursor') ?? 0)
        const all = items()
        return { items: all.slice(from, from + 3), nextCursor: from + 3 < all.length ? String(from + 3) : null }
      })
      for (let n = 0; n < 20; n++) {
        services.answers.set(
          `GET ${path}/${uuid(n)}`,
          () => items().find(({ id }) => id === uuid(n)) ?? status(404, { code: 'ERR_NOT_FOUND' }),
        )
      }
    }
  }
  const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)

  test('equal sides are equal, whatever null, absent and member order', async () => {
    serve(
      () => numbers(0, 10).map(user),
      () => numbers(0, 10).map(person),
    )
    const { code, stdout } = await ask('users', 'compare', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual({ equal: true, compared: 10, differingUsers: 0, first: [] })
  })

  test('every kind of difference is found, named by field and id, without values', async () => {
    const people = [0, 1, 2, 4, 5, 6, 7, 8, 9, 10].map(person)
    Object.assign(people[1] as object, { userName: 'secret-other', version: 2 })
    Object.assign(people[4] as object, { attributes: { a: 'x', b: [1, { c: 3 }] } })
    serve(
      () => numbers(0, 10).map(user),
      () => people,
    )
    const quiet = await ask('users', 'compare', '--at-rest', '--json')
    expect(quiet.code).toBe(1)
    expect(JSON.parse(quiet.stdout)).toEqual({
      equal: false,
      compared: 11,
      differingUsers: 4,
      first: [
        { id: uuid(1), field: 'userName' },
        { id: uuid(1), field: 'version' },
        { id: uuid(3), field: '(only in the registry)' },
        { id: uuid(5), field: 'attributes' },
        { id: uuid(10), field: '(only in the directory)' },
      ],
    })
    expect((await ask('users', 'compare', '--at-rest')).stdout).not.toContain('secret')
    expect((await ask('users', 'compare', '--at-rest', '--show-values')).stdout).toContain('"secret1" / "secret-other"')
  })

  test('a directory that is behind is looked at again before it counts as different', async () => {
    let looks = 0
    serve(
      () => numbers(0, 10).map(user),
      () => numbers(0, ++looks > 6 ? 10 : 8).map(person),
    )
    const { code, stdout, stderr } = await ask('users', 'compare', '--patience', '10')
    expect(stderr).toContain(
      '2 users differ at first sight; looking again for up to 10 s, because the directory may be behind.',
    )
    expect(stdout).toBe('10 users compared field by field: registry and directory are equal.\n')
    expect(code).toBe(0)
  })

  test('a difference that lasts counts, also a deleted user that is still there', async () => {
    serve(
      () => numbers(0, 9).map(user),
      () => numbers(0, 10).map(person),
    )
    services.answers.set(`GET /v1/users/${uuid(9)}`, { ...user(9), status: 'deleted' })
    const { code, stdout } = await ask('users', 'compare', '--patience', '1', '--json')
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({
      differingUsers: 1,
      first: [{ id: uuid(9), field: '(only in the directory)' }],
    })
  })
})
