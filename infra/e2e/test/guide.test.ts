import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createPool } from '@rollcall/database'
import { findFreePort } from '@rollcall/dev'
import { userLifecycle } from '@rollcall/events'
import { encodeRecordBody, partitionOf } from '@rollcall/kafka'
import { deleteTopic } from '@rollcall/kafka/testing'
import { silentLogger } from '@rollcall/observability/testing'
import { request } from '../src/stack/http-client.js'
import { type OwnStack, startOwnStack } from '../src/stack/own-stack.js'
import { repositoryRoot } from '../src/stack/repository.js'
import { until } from '../src/stack/until.js'
import { constantPart, type PageBlock, type PageRun, runPage } from './support/guide-page.js'
import { sendRecord } from './support/send-record.js'

let stack: OwnStack
let root: string
let addresses: Record<string, string>

beforeAll(async () => {
  stack = await startOwnStack({ fsync: false, supervised: true })
  root = mkdtempSync(join(tmpdir(), 'rollcall-guide-'))
  mkdirSync(join(root, '.rollcall'))
  for (const name of ['node_modules', 'infra', 'package.json']) {
    symlinkSync(join(repositoryRoot, name), join(root, name))
  }
  symlinkSync(stack.endpointsPath, join(root, '.rollcall', 'endpoints.json'))
  addresses = {
    'http://127.0.0.1:7400': stack.services.registry.url,
    'http://127.0.0.1:7401': stack.services.relay.url,
    'http://127.0.0.1:7410': stack.services.directory.url,
    'http://127.0.0.1:18081/apis/ccompat/v7': stack.endpoints.schemaRegistry,
    '127.0.0.1:19092': stack.endpoints.kafka,
    '7420': String(await findFreePort()),
  }
  mkdirSync(join(root, 'services'))
  symlinkSync(join(repositoryRoot, 'services/user-registry'), join(root, 'services/user-registry'))
  const badges = 'services/ops-cli/guide/badges.mjs'
  mkdirSync(dirname(join(root, badges)), { recursive: true })
  writeFileSync(
    join(root, badges),
    readFileSync(join(repositoryRoot, badges), 'utf8').replaceAll('7420', addresses['7420'] ?? ''),
  )
}, 120_000)

afterAll(async () => {
  await stack?.stop()
  rmSync(root, { recursive: true, force: true })
})

const run = (page: string, before?: PageRun['before']) =>
  runPage(`services/ops-cli/guide/${page}.md`, {
    cwd: root,
    env: {
      DATABASE_URL: stack.endpoints.databases.userRegistry,
      KAFKA_BROKERS: stack.endpoints.kafka,
      SCHEMA_REGISTRY_URL: stack.endpoints.schemaRegistry,
      NO_COLOR: '1',
      NODE_OPTIONS: '',
      npm_config_update_notifier: 'false',
    },
    addresses,
    ...(before && { before }),
  })

function expectAsSaid(blocks: readonly PageBlock[]) {
  for (const { commands, said, printed } of blocks) {
    if (said === undefined) continue
    expect({ commands, printed: constantPart(printed) }).toEqual({ commands, printed: constantPart(said) })
  }
}

test('the practice is as the page says: one user stops, everybody else flows, the handler is mended, all is well', async () => {
  expectAsSaid(await run('practice'))
}, 240_000)

const admin = (path: string) => request('POST', `${stack.services.directory.url}/admin/projections/people/${path}`)
const newUser = async (userName: string) => {
  const body = { userName, emails: [{ value: `${userName}@example.com` }] }
  const answer = await request('POST', `${stack.services.registry.url}/v1/users`, { body })
  expect(answer.status).toBe(201)
  return (answer.body as { id: string }).id
}
const lettersOf = async (userId: string) => {
  const url = `${stack.services.directory.url}/admin/projections/people/dead-letters/${userId}`
  return ((await request('GET', url)).body as { letters?: number }).letters ?? 0
}
const registryDatabase = (text: string) => execute(stack.endpoints.databases.userRegistry, text)
const directoryDatabase = (text: string) => execute(stack.endpoints.databases.directory, text)
async function execute(url: string, text: string): Promise<readonly unknown[]> {
  const pool = createPool({ url, applicationName: 'guide' }, { logger: silentLogger })
  try {
    return (await pool.query(text)).rows
  } finally {
    await pool.end()
  }
}

test('lag grows: paused, seen, resumed', async () => {
  const paused = async () => {
    await admin('pause')
    for (let index = 0; index < 30; index++) await newUser(`lagging-${index}`)
  }
  expectAsSaid(await run('lag-grows', { 'rollcall status\nnpx rollcall projections list': paused }))
}, 120_000)

// Before a record is discarded: a rebuild meets it again, and has to park its user anew.
test('a read model is rebuilt beside the live one, and rolled back', async () => {
  expectAsSaid(await run('rebuild-and-rollback'))
}, 180_000)

test('a user is parked: seen, understood, discarded, retried', async () => {
  const parked = async () => {
    const id = await newUser('parked')
    const value = Buffer.from('{"written":"by hand"}')
    await sendRecord(stack.endpoints.kafka, partitionOf(Buffer.from(id), 12), encodeRecordBody({ key: id, value }))
    await until({ what: 'the user is parked', timeoutMs: 30_000 }, async () => (await lettersOf(id)) === 1)
    const headers = { 'content-type': 'application/merge-patch+json' }
    await request('PATCH', `${stack.services.registry.url}/v1/users/${id}`, { headers, body: { locale: 'de' } })
    await until({ what: 'the change waits', timeoutMs: 30_000 }, async () => (await lettersOf(id)) === 2)
  }
  expectAsSaid(await run('user-parked', { 'rollcall dead-letters list\n': once(parked) }))
}, 120_000)

test('a schema is broken: a version that nobody froze is found, and removed', async () => {
  const registered = async () => {
    const schema = userLifecycle.schemas.UserDeleted
    const field = { name: 'note', type: 'string', default: '' }
    const other = { ...schema, fields: [...schema.fields, field] }
    const subject = `${userLifecycle.name}-${userLifecycle.recordNames.UserDeleted}`
    const answer = await request('POST', `${stack.endpoints.schemaRegistry}/subjects/${subject}/versions`, {
      headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
      body: { schema: JSON.stringify(other) },
    })
    expect(answer.status).toBe(200)
  }
  expectAsSaid(await run('schema-broken', { 'rollcall schemas check\n': once(registered) }))
}, 120_000)

test('the read model is wrong: told, mended by key, equal', async () => {
  const text =
    "UPDATE person SET display_name = 'by hand' WHERE user_id = (SELECT min(user_id::text)::uuid FROM person)"
  const corrupted = async () => void (await directoryDatabase(text))
  expectAsSaid(await run('verify-and-repair', { 'verify people --content\n': once(corrupted) }))
}, 120_000)

test('the relay is stuck: none runs, one is started', async () => {
  const relay = stack.process('relay')
  const stopped = async () => {
    await relay.stop()
    await newUser('waiting')
    await until(
      { what: 'its lease ends', timeoutMs: 30_000 },
      async () => (await registryDatabase(LEADING)).length === 0,
    )
  }
  const before = { 'rollcall status\n': once(stopped), 'until npx': once(() => relay.start()) }
  expectAsSaid(await run('relay-stuck', before))
}, 120_000)

test('the database was restored: the relay refuses, is given a position again, and goes on', async () => {
  const relay = stack.process('relay')
  const restored = async () => {
    await relay.stop()
    await newUser('unsent')
    // As a dump restored into a young cluster: the same rows and position, transaction ids of the future.
    await registryDatabase(`
      UPDATE outbox.relay SET system_identifier = 1, heartbeat_at = '-infinity',
        snap = ((pg_snapshot_xmin(snap)::text::bigint + 3000000000)::text || ':' || (pg_snapshot_xmax(snap)::text::bigint + 3000000000)::text || ':')::pg_snapshot;
      UPDATE outbox.message SET xid = (xid::text::bigint + 3000000000)::text::xid8`)
    await relay.start().catch(() => undefined)
    await until({ what: 'the relay refuses', timeoutMs: 60_000 }, () =>
      readFileSync(stack.services.relay.logFile, 'utf8').includes('ERR_OUTBOX_DATABASE_CHANGED'),
    )
    await relay.stop()
  }
  const before = { 'rollcall status\n': once(restored), 'until npx': once(() => relay.start()) }
  expectAsSaid(await run('database-restored', before))
}, 120_000)

test('the topic is lost: made again, filled from the outbox, and read from its beginning', async () => {
  const lost = async () => {
    await newUser('before-the-loss')
    await deleteTopic(stack.endpoints.kafka, userLifecycle.name)
  }
  const blocks = await run('topic-lost', { 'topics check\n': once(lost) })
  // Whether a partition stands still depends on how many records its users have on the topic made again.
  const told = (text: string) => text.replace(/^(?:Proven equal to|Not compared with) .*$/m, '<compared or not>')
  expectAsSaid(
    blocks.map((block) => ({
      ...block,
      printed: told(block.printed),
      ...(block.said !== undefined && { said: told(block.said) }),
    })),
  )
}, 240_000)

const LEADING = "SELECT FROM outbox.relay WHERE heartbeat_at > now() - interval '10 seconds'"

function once(act: () => Promise<void>): () => Promise<void> {
  let isDone = false
  return async () => {
    if (isDone) return
    isDone = true
    await act()
  }
}
