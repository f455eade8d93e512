import { createPool, type Pool } from '@rollcall/database'
import { userLifecycle } from '@rollcall/events'
import { createKafka, type KafkaClient, partitionOf } from '@rollcall/kafka'
import { deleteRecords } from '@rollcall/kafka/testing'
import { createMetrics } from '@rollcall/observability'
import { silentLogger } from '@rollcall/observability/testing'
import { request } from '../src/stack/http-client.js'
import { type OwnStack, startOwnStack } from '../src/stack/own-stack.js'
import { rollcall } from '../src/stack/rollcall.js'
import { until } from '../src/stack/until.js'

const USERS = 60
const PARTITIONS = 12

let stack: OwnStack
let kafka: KafkaClient
let readModel: Pool
let ids: string[]

beforeAll(async () => {
  stack = await startOwnStack({ fsync: false, start: ['registry', 'relay'] })
  const tools = { logger: silentLogger, metrics: createMetrics('test') }
  kafka = createKafka({ KAFKA_BROKERS: stack.endpoints.kafka.split(',') }, tools)
  readModel = createPool({ url: stack.endpoints.databases.directory, max: 2, applicationName: 'test' }, tools)
  ids = await Promise.all(Array.from({ length: USERS }, (_, at) => create(at)))
  await until({ what: 'all changes on the topic', timeoutMs: 30_000 }, async () => (await records()) >= USERS)
}, 120_000)

afterAll(async () => {
  await kafka?.close()
  await readModel?.end()
  await stack?.stop()
}, 60_000)

const registry = (method: string, path: string, body?: unknown) =>
  request(method, `${stack.services.registry.url}${path}`, body === undefined ? {} : { body })

async function create(number: number): Promise<string> {
  const body = { userName: `user-${number}`, emails: [{ value: `user-${number}@example.org` }] }
  return ((await registry('POST', '/v1/users', body)).body as { id: string }).id
}

const records = async () => (await kafka.offsets(userLifecycle.name)).reduce((sum, { high }) => sum + high, 0)

interface Report {
  readonly found: Record<string, number>
  readonly repaired: number
  readonly left: number
  readonly items: readonly { readonly userId: string; readonly kind: string; readonly columns?: readonly string[] }[]
  readonly [member: string]: unknown
}

const projections = (...args: readonly string[]) => rollcall<Report>(stack.endpointsPath, 'projections', ...args)

const quiet = () =>
  until({ what: 'the directory has read the topic', timeoutMs: 60_000 }, async () => {
    const { body } = await request('GET', `${stack.services.directory.url}/admin/projections`)
    return (body as { items: { lagRecords: number; state: string }[] }).items[0]?.lagRecords === 0
  })

test('records the topic has lost and a corrupted row are found by key, and healed by key, while everything runs', async () => {
  // A directory that begins after the topic was trimmed: no later event tells it that something is missing.
  const partition = partitionOf(Buffer.from(ids[0] as string), PARTITIONS)
  const lost = ids.filter((id) => partitionOf(Buffer.from(id), PARTITIONS) === partition)
  const { high } = (await kafka.offsets(userLifecycle.name)).find((one) => one.partition === partition) ?? { high: 0 }
  await deleteRecords(stack.endpoints.kafka, userLifecycle.name, new Map([[partition, high]]))
  await stack.services.directory.start()
  await quiet()
  const { rows } = await readModel.query<{ user_id: string }>('SELECT user_id FROM person ORDER BY user_id')
  expect(rows).toHaveLength(USERS - lost.length)
  const corrupted = rows[0]?.user_id as string
  await readModel.query(`UPDATE person SET display_name = 'Mallory', emails = '[]' WHERE user_id = $1`, [corrupted])

  const found = await projections('verify', 'directory/people', '--content', '--wait', '1')
  expect(found).toMatchObject({ code: 1, report: { found: { missing: lost.length, 'row differs': 1 }, repaired: 0 } })
  const keys = (kind: string) => found.report.items.filter((one) => one.kind === kind).map(({ userId }) => userId)
  expect(keys('missing').sort()).toEqual([...lost].sort())
  expect(keys('row differs')).toEqual([corrupted])
  expect(found.report.items.find(({ userId }) => userId === corrupted)?.columns).toEqual(['display_name', 'emails'])

  const rehearsal = await projections('verify', 'people', '--content', '--repair', '--dry-run', '--wait', '1')
  expect(rehearsal).toMatchObject({ code: 1, report: { dryRun: true, repaired: lost.length + 1, left: 0 } })
  expect((await readModel.query('SELECT count(*) AS people FROM person')).rows[0].people).toBe(USERS - lost.length)

  const mended = await projections('verify', 'people', '--content', '--repair', '--wait', '1')
  expect(mended).toMatchObject({ code: 0, report: { repaired: lost.length + 1, left: 0 } })
  expect(await projections('verify', 'people', '--content')).toMatchObject({
    code: 0,
    report: {
      found: {},
      registry: { users: USERS },
      readModel: { users: USERS },
      content: { users: USERS, unchecked: 0 },
    },
  })
  const acts = await readModel.query<{ act: string; users: number }>(
    'SELECT act, count(DISTINCT key) AS users FROM projections.operator_act GROUP BY act',
  )
  expect(Object.fromEntries(acts.rows.map(({ act, users }) => [act, users]))).toEqual({
    'verify.heal': lost.length,
    'gap.heal': lost.length,
    'verify.repair': 1,
    verify: 0,
  })
}, 120_000)

test('what changes while it is compared is no difference', async () => {
  let isOver = false
  let changes = 0
  const changing = (async () => {
    while (!isOver) {
      const id = ids[changes++ % ids.length]
      await registry('PATCH', `/v1/users/${id}`, { attributes: { turn: changes } })
    }
  })()
  try {
    for (let round = 0; round < 3; round++) {
      const { report } = await projections('verify', 'people', '--content', '--wait', '30')
      expect(report).toMatchObject({ found: {}, left: 0 })
    }
  } finally {
    isOver = true
    await changing
  }
  expect(changes).toBeGreaterThan(10)
}, 120_000)

test('applied events go through the handler again, and mend a row', async () => {
  await quiet()
  const [id] = ids as [string]
  const before = await readModel.query('SELECT * FROM person WHERE user_id = $1', [id])
  await readModel.query(`UPDATE person SET search_text = 'made by an older handler' WHERE user_id = $1`, [id])
  const line = ['replay', 'people', '--from', '1', '--user', id, '--reason', 'the search text was wrong']
  expect(await projections(...line, '--dry-run')).toMatchObject({
    code: 0,
    report: { users: 1, rows: [{ table: 'person', before: { search_text: 'made by an older handler' } }] },
  })
  expect(await projections(...line)).toMatchObject({ code: 0, report: { users: 1, failed: 0, rows: null } })
  expect((await readModel.query('SELECT * FROM person WHERE user_id = $1', [id])).rows).toEqual(before.rows)
  const { rows } = await readModel.query(`SELECT key, reason FROM projections.operator_act WHERE act = 'replay'`)
  expect(rows).toEqual([{ key: id, reason: 'the search text was wrong' }])
}, 60_000)

test('every write answers userId@version, and the read model waits for it, or says by how much it is behind', async () => {
  const person = (id: string, query: string) =>
    request('GET', `${stack.services.directory.url}/v1/people/${id}?${query}`)
  const made = await registry('POST', '/v1/users', { userName: 'fresh', emails: [{ value: 'fresh@example.org' }] })
  const { id } = made.body as { id: string }
  const writes = [
    made,
    await registry('PATCH', `/v1/users/${id}`, { phone: '+15557770000' }),
    await registry('POST', `/v1/users/${id}/suspend`),
    await registry('POST', `/v1/users/${id}/reactivate`),
  ]
  expect(writes.map(({ headers }) => headers.get('rollcall-version'))).toEqual([1, 2, 3, 4].map((at) => `${id}@${at}`))
  expect(await person(id, `atLeast=${id}@4&waitMs=10000`)).toMatchObject({ status: 200, body: { version: 4 } })
  const behind = await person(id, `atLeast=${id}@9&waitMs=50`)
  expect(behind).toMatchObject({ status: 503, body: { code: 'ERR_PROJECTION_BEHIND' } })
  expect((behind.body as { detail: string }).detail).toContain('behind by 5')

  const deleted = await registry('DELETE', `/v1/users/${id}`)
  expect(deleted.headers.get('rollcall-version')).toBe(`${id}@5`)
  expect(await person(id, `atLeast=${id}@5&waitMs=10000`)).toMatchObject({ status: 404 })
  expect((await registry('POST', `/v1/users/${id}/restore`)).headers.get('rollcall-version')).toBe(`${id}@6`)
  expect(await person(id, `atLeast=${id}@6&waitMs=10000`)).toMatchObject({ status: 200, body: { version: 6 } })
}, 60_000)
