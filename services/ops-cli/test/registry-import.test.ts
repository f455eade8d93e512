import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTestDatabase, type TestDatabase } from '@rollcall/database/testing'
import { testEndpoints } from '@rollcall/dev'
import { createCodec, userLifecycle } from '@rollcall/events'
import { createMetrics } from '@rollcall/observability'
import { silentLogger } from '@rollcall/observability/testing'
import { createRegistryApp, registryMigrations } from '@rollcall/user-registry'
import { rollcall } from './rollcall-process.js'

const COUNT = 2_000
const ID = '0198c0de-0000-7000-8000-000000000001'

let folder: string
let database: TestDatabase
let registry: { url: string; close(): Promise<void> }

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rollcall-registry-'))
  database = await createTestDatabase({ migrations: registryMigrations })
  const codec = createCodec(userLifecycle, { schemaRegistryUrl: testEndpoints().schemaRegistry, register: true })
  await codec.ready()
  const app = await createRegistryApp({
    pool: database.pool,
    codec,
    wakeUp: { poke() {} },
    logger: silentLogger,
    metrics: createMetrics('test'),
  })
  registry = { url: await app.listen({ host: '127.0.0.1', port: 0 }), close: () => app.close() }
})
afterAll(async () => {
  await registry.close()
  await database.close()
  await rm(folder, { recursive: true })
})

const ask = async (...args: string[]) => {
  const { code, stdout } = await rollcall([...args, '--json', '--registry', registry.url], { cwd: folder })
  return { code, said: JSON.parse(stdout) as Record<string, unknown> }
}

const countOf = async (table: string) =>
  Number((await database.pool.query<{ count: string }>(`SELECT count(*) FROM ${table}`)).rows[0]?.count)

test('generated users arrive in a real registry: created once, then recognised, then taken', async () => {
  await rollcall(['users', 'generate', '--count', String(COUNT), '--out', 'people.csv'], { cwd: folder })
  const first = await ask('users', 'import', 'people.csv', '--import-id', ID, '--batch', '300')
  expect(first).toMatchObject({ code: 0, said: { created: COUNT, unchanged: 0, failed: 0 } })
  expect(await countOf('user_account')).toBe(COUNT)
  expect(await countOf('outbox.message')).toBe(COUNT)

  const again = await ask('users', 'import', 'people.csv', '--import-id', ID)
  expect(again).toMatchObject({ code: 0, said: { created: 0, unchanged: COUNT, failed: 0 } })
  const asNew = await ask('users', 'import', 'people.csv')
  expect(asNew).toMatchObject({ code: 1, said: { created: 0, unchanged: 0, failed: COUNT } })
  const [taken = ''] = (await readFile(join(folder, 'people.csv.errors.ndjson'), 'utf8')).split('\n')
  expect(JSON.parse(taken)).toMatchObject({ line: 2, code: 'ERR_USER_NAME_TAKEN' })
  expect(await countOf('user_account')).toBe(COUNT)
  expect(await countOf('outbox.message')).toBe(COUNT)
})

test('every column of a CSV arrives', async () => {
  const header = 'userName,email,emails,givenName,familyName,displayName,phone,locale,timezone,attr.costCenter'
  const line = 'zoe,zoe@example.org,z2@example.net,Zoë,Ö,"Ö, Zoë",+44 20 7946 0000,en-gb,europe/london,4711'
  await writeFile(join(folder, 'zoe.csv'), `\uFEFF${header}\r\n${line}\r\n`)
  expect(await ask('users', 'import', 'zoe.csv')).toMatchObject({ code: 0, said: { created: 1 } })
  const answer = await fetch(`${registry.url}/v1/users?userName=zoe`)
  expect(((await answer.json()) as { items: unknown[] }).items[0]).toMatchObject({
    userName: 'zoe',
    emails: [
      { value: 'zoe@example.org', primary: true },
      { value: 'z2@example.net', primary: false },
    ],
    name: { given: 'Zoë', family: 'Ö', display: 'Ö, Zoë' },
    phone: '+442079460000',
    locale: 'en-GB',
    timezone: 'Europe/London',
    attributes: { costCenter: '4711' },
  })
})

test('what the registry refuses is told by line, and costs no neighbour', async () => {
  const lines = ['{"userName":"n1"}', '{"userName":', '{"userName":"n2","shoeSize":9}', '', '{"userName":"n3"}']
  await writeFile(join(folder, 'mixed.ndjson'), lines.join('\n'))
  expect(await ask('users', 'import', 'mixed.ndjson')).toMatchObject({ code: 1, said: { created: 2, failed: 2 } })
  const failed = (await readFile(join(folder, 'mixed.ndjson.errors.ndjson'), 'utf8')).trimEnd().split('\n')
  expect(failed.map((line) => JSON.parse(line) as object)).toEqual([
    { line: 2, code: 'ERR_LINE_MALFORMED', reason: expect.any(String), original: '{"userName":' },
    { line: 3, code: 'ERR_USER_INVALID', reason: expect.any(String), original: lines[2] },
  ])
})

test('the registry lists users in id order, page by page, as compare needs it', async () => {
  const ids: string[] = []
  let cursor: string | null = null
  do {
    const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const answer = await fetch(`${registry.url}/v1/users?sort=id&limit=200${query}`)
    const page = (await answer.json()) as { items: { id: string }[]; nextCursor: string | null }
    ids.push(...page.items.map(({ id }) => id))
    cursor = page.nextCursor
  } while (cursor !== null)
  expect(ids.length).toBeGreaterThan(COUNT)
  expect(ids).toEqual([...new Set(ids)].sort())
})
