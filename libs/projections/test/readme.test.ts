import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createTestDatabase, type TestDatabase } from '@rollcall/database/testing'
import { testEndpoints } from '@rollcall/dev'
import { cloudEventHeaders, createCodec, userLifecycle } from '@rollcall/events'
import { userCreated, userUpdated } from '@rollcall/events/testing'
import { createKafka, encodeRecordBody } from '@rollcall/kafka'
import { createTestTopic } from '@rollcall/kafka/testing'
import { createMetrics } from '@rollcall/observability'
import { silentLogger } from '@rollcall/observability/testing'
import { transform } from '@swc/core'
import { projectionMetrics } from '../src/projection-metrics.js'
import { until } from './support.js'

const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
const block = (language: string) => new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(readme)?.[1] ?? ''

describe('the service of the README', () => {
  const home = new URL(`../dist/readme-${process.pid}/`, import.meta.url)
  let database: TestDatabase
  let child: ChildProcess | undefined

  afterAll(async () => {
    if (child?.exitCode === null) {
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
    await database?.close()
    await rm(home, { recursive: true, force: true })
  })

  test('is short, and works as it stands there', async () => {
    const source = block('ts')
    expect(source.split('\n').filter(Boolean).length).toBeLessThan(60)

    const kafka = createKafka(
      { KAFKA_BROKERS: testEndpoints().kafka.split(',') },
      { logger: silentLogger, metrics: createMetrics('test') },
    )
    const codec = createCodec(userLifecycle, { schemaRegistryUrl: testEndpoints().schemaRegistry, register: true })
    await codec.ready()
    const topic = await createTestTopic(kafka)
    const created = userCreated()
    const updated = userUpdated(created)
    const producer = kafka.producer()
    const records = [created, updated].map((event) => ({
      partition: 0,
      timestampMs: Date.now(),
      body: encodeRecordBody({
        key: event.userId,
        value: codec.encode(event),
        headers: cloudEventHeaders(event, { source: '/test' }),
      }),
    }))
    await producer.send(topic, records)
    await producer.close()
    await kafka.close()

    database = await createTestDatabase()
    const migration = new URL('migrations/20260101000000_contact/', home)
    await mkdir(migration, { recursive: true })
    await writeFile(new URL('migration.sql', migration), block('sql'))
    // The only changes: a topic of our own, and a group nobody else is in.
    const ours = source
      .replace('topic: userLifecycle,', `topic: { ...userLifecycle, name: '${topic}' },`)
      .replace("groupId: 'contacts'", `groupId: '${topic}'`)
    const { code } = await transform(ours, {
      jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
      module: { type: 'es6' },
    })
    await writeFile(new URL('main.mjs', home), code)

    const port = 20_000 + (process.pid % 20_000)
    const { NODE_OPTIONS: _, ...inherited } = process.env
    const env = {
      ...inherited,
      DATABASE_URL: database.url,
      SCHEMA_REGISTRY_URL: testEndpoints().schemaRegistry,
      KAFKA_BROKERS: testEndpoints().kafka,
      PORT: String(port),
    }
    child = spawn(process.execPath, [new URL('main.mjs', home).pathname], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout?.on('data', (chunk) => {
      output += chunk
    })
    child.stderr?.on('data', (chunk) => {
      output += chunk
    })
    const base = `http://127.0.0.1:${port}`
    await until(async () => {
      if (child?.exitCode !== null) throw new Error(output)
      return (await fetch(`${base}/health/ready`).catch(() => undefined))?.ok === true
    }, 30_000)
    const answer = await fetch(`${base}/contacts/${created.userId}?atLeast=2`)
    expect(await answer.json()).toMatchObject([{ user_id: created.userId, phone: updated.user.phone, version: 2 }])
    const behind = await fetch(`${base}/contacts/${created.userId}?atLeast=3`)
    expect(behind.status).toBe(503)
    expect(await behind.json()).toMatchObject({ code: 'ERR_PROJECTION_BEHIND' })
    const { items } = (await (await fetch(`${base}/admin/projections`)).json()) as { items: unknown[] }
    expect(items).toMatchObject([{ name: 'contacts', state: 'running', lagRecords: 0 }])

    const act = async (verb: string) => {
      const acted = await fetch(`${base}/admin/projections/contacts/${verb}`, { method: 'POST' })
      return { status: acted.status, ...((await acted.json()) as object) }
    }
    expect(await act('pause')).toMatchObject({ status: 200, state: 'paused' })
    expect(await act('resume')).toMatchObject({ status: 200, state: 'running' })
    expect(await act('rebuild')).toMatchObject({ status: 202, rebuild: { total: 2 } })
    const unknown = await fetch(`${base}/admin/projections/nobody/pause`, { method: 'POST' })
    expect(unknown.status).toBe(404)
    expect(await unknown.json()).toMatchObject({ code: 'ERR_PROJECTION_UNKNOWN' })

    child.kill('SIGTERM')
    const [exit] = await once(child, 'exit')
    expect(exit).toBe(0)
  })
})

test('the simulation of the README runs as it stands there', async () => {
  const home = new URL(`../dist/readme-simulation-${process.pid}/`, import.meta.url)
  await mkdir(home, { recursive: true })
  try {
    await writeFile(new URL('main.mjs', home), block('js'))
    const { NODE_OPTIONS: _, ...env } = process.env
    const { stdout } = await promisify(execFile)(process.execPath, [fileURLToPath(new URL('main.mjs', home))], { env })
    expect(stdout).toBe('100 seeds: every law held\n')
  } finally {
    await rm(home, { recursive: true, force: true })
  }
})

test('the README names every error code and every metric, and no other', async () => {
  const folder = new URL('../src/', import.meta.url)
  const files = (await readdir(folder)).filter((file) => file.endsWith('.ts'))
  const sources = await Promise.all(files.map((file) => readFile(new URL(file, folder), 'utf8')))
  const codes = new Set(
    sources
      .join('\n')
      .match(/'ERR_PROJECTION_[A-Z_]+'/g)
      ?.map((code) => code.slice(1, -1)),
  )
  expect(new Set(readme.match(/ERR_PROJECTION_[A-Z_]+/g))).toEqual(codes)

  const names = new Set<string>()
  const declare = ({ name }: { name: string }) => names.add(name)
  projectionMetrics({ counter: declare, gauge: declare, histogram: declare } as never)
  expect(new Set(readme.match(/rollcall_[a-z_]+/g))).toEqual(names)
})
