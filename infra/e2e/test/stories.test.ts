import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { encodeRecordBody, partitionOf } from '@rollcall/kafka'
import { type SpanSink, spanSink } from '@rollcall/observability/testing'
import { type Answer, type RequestOptions, request } from '../src/stack/http-client.js'
import { type OwnStack, startOwnStack } from '../src/stack/own-stack.js'
import { rollcall } from '../src/stack/rollcall.js'
import { answers } from '../src/stack/service-process.js'
import { until } from '../src/stack/until.js'
import { badInputTable } from './support/bad-input-table.js'
import { sendRecord } from './support/send-record.js'

// Personal data of everybody in this file holds this word: it must be in no log line.
const CANARY = 'Zyxqanary'
const MERGE_PATCH = { 'content-type': 'application/merge-patch+json' }

let stack: OwnStack
let sink: SpanSink
const table = badInputTable()
let people = 0

beforeAll(async () => {
  sink = await spanSink()
  stack = await startOwnStack({ fsync: false, env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.endpoint, LOG_LEVEL: 'debug' } })
}, 120_000)

afterAll(async () => {
  await stack?.stop()
  await sink?.close()
})

const registry = (method: string, path: string, options?: RequestOptions) =>
  request(method, `${stack.services.registry.url}${path}`, options)
const directory = (path: string) => request('GET', `${stack.services.directory.url}${path}`)

function somebody(): { userName: string; emails: { value: string; primary: boolean }[]; [member: string]: unknown } {
  people++
  return {
    userName: `${CANARY}-${people}`,
    emails: [{ value: `${CANARY}.${people}@canary.example`, primary: true }],
    name: { given: `${CANARY}given`, family: `${CANARY}family` },
    phone: `+1555777${String(people).padStart(4, '0')}`,
    attributes: { note: `${CANARY}note` },
  }
}

async function created(): Promise<{ id: string; userName: string; answer: Answer }> {
  const person = somebody()
  const answer = await registry('POST', '/v1/users', { body: person })
  expect(answer).toMatchObject({ status: 201 })
  return { id: (answer.body as { id: string }).id, userName: person.userName, answer }
}

/** The directory's answer, once it knows the change the registry's answer names. */
async function seen(id: string, write: Answer): Promise<Answer> {
  const token = write.headers.get('rollcall-version') ?? ''
  expect(token).toMatch(new RegExp(`^${id}@\\d+$`))
  return directory(`/v1/people/${id}?atLeast=${encodeURIComponent(token)}`)
}

test('a user is created, changed, suspended, deleted and restored, and the directory follows each change', async () => {
  const { id, userName, answer } = await created()
  expect(answer.headers.get('etag')).toBe('"1"')
  expect(await seen(id, answer)).toMatchObject({ status: 200, body: { userName } })

  const patched = await registry('PATCH', `/v1/users/${id}`, {
    headers: { ...MERGE_PATCH, 'if-match': '"1"' },
    body: { name: { family: `${CANARY}changed` } },
  })
  expect(patched).toMatchObject({ status: 200, body: { version: 2 } })
  expect(JSON.stringify((await seen(id, patched)).body)).toContain(`${CANARY}changed`)

  const suspended = await registry('POST', `/v1/users/${id}/suspend`)
  expect(suspended).toMatchObject({ status: 200, body: { status: 'suspended', version: 3 } })
  await seen(id, suspended)

  const deleted = await registry('DELETE', `/v1/users/${id}`)
  expect(deleted).toMatchObject({ status: 200, body: { status: 'deleted', version: 4 } })
  expect(await seen(id, deleted)).toMatchObject({ status: 404 })

  const restored = await registry('POST', `/v1/users/${id}/restore`)
  expect(restored).toMatchObject({ status: 200, body: { status: 'suspended', version: 5 } })
  expect(await seen(id, restored)).toMatchObject({ status: 200, body: { userName } })

  const history = await registry('GET', `/v1/users/${id}/history`)
  const { items } = history.body as { items: { type: string; version: number }[] }
  expect(items.map(({ type, version }) => [version, type])).toEqual([
    [1, 'UserCreated'],
    [2, 'UserUpdated'],
    [3, 'UserSuspended'],
    [4, 'UserDeleted'],
    [5, 'UserRestored'],
  ])
})

test('one trace leads from the HTTP request over the relay into the projection', async () => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
  const answer = await registry('POST', '/v1/users', {
    body: somebody(),
    headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` },
  })
  expect(answer.status).toBe(201)

  const server = await sink.waitFor((span) => span.traceId === traceId && span.kind === 2, 20_000)
  const projection = await sink.waitFor(
    (span) => span.traceId === traceId && span.service.includes('directory') && span.kind === 5,
    20_000,
  )
  expect(server.parentSpanId).toBe('00f067aa0ba902b7')
  expect(projection.failed).toBe(false)
})

describe('bad input', () => {
  async function refused(
    kind: string,
    answer: Promise<Answer> | Answer,
    { status, code }: { status: number; code: string },
  ): Promise<Answer> {
    const given = await answer
    expect(given).toMatchObject({ status, body: { status, code, correlationId: expect.any(String) } })
    expect(given.headers.get('content-type')).toMatch(/^application\/problem\+json/)
    expect(JSON.stringify(given.body)).not.toContain(CANARY)
    table.add(kind, `${status} \`${code}\``)
    return given
  }

  test('is refused over REST with a status and a code of its own', async () => {
    const { id, userName } = await created()
    const post = (body: unknown, headers = {}) => registry('POST', '/v1/users', { body, headers })
    const patch = (body: unknown, headers = {}) =>
      registry('PATCH', `/v1/users/${id}`, { body, headers: { ...MERGE_PATCH, ...headers } })

    await refused('malformed JSON', post(`{"userName": "${CANARY}`), { status: 400, code: 'ERR_BODY_MALFORMED' })
    await refused('an unknown field', post({ ...somebody(), shoeSize: CANARY }), {
      status: 400,
      code: 'ERR_REQUEST_INVALID',
    })
    await refused('a field of the wrong type', post({ ...somebody(), userName: { [CANARY]: 1 } }), {
      status: 400,
      code: 'ERR_REQUEST_INVALID',
    })
    await refused('a change of the wrong type', patch({ phone: CANARY }), { status: 400, code: 'ERR_REQUEST_INVALID' })
    await refused('an oversized body', post({ ...somebody(), attributes: { note: CANARY.repeat(200_000) } }), {
      status: 413,
      code: 'ERR_BODY_TOO_LARGE',
    })
    await refused('a body that is not JSON at all', post(CANARY, { 'content-type': 'text/plain' }), {
      status: 415,
      code: 'ERR_MEDIA_TYPE_UNSUPPORTED',
    })
    await refused('a userName somebody has, in other case', post({ ...somebody(), userName: userName.toUpperCase() }), {
      status: 409,
      code: 'ERR_USER_NAME_TAKEN',
    })
    const { emails } = (await registry('GET', `/v1/users/${id}`)).body as { emails: unknown }
    await refused('an e-mail address somebody has', post({ ...somebody(), emails }), {
      status: 409,
      code: 'ERR_USER_EMAIL_TAKEN',
    })
    await refused('a stale ETag in If-Match', patch({ locale: 'de' }, { 'if-match': '"7"' }), {
      status: 412,
      code: 'ERR_PRECONDITION_FAILED',
    })
    await refused('an act the status does not allow', registry('POST', `/v1/users/${id}/restore`), {
      status: 409,
      code: 'ERR_USER_STATUS_CONFLICT',
    })
    const unknown = '01890000-0000-7000-8000-000000000000'
    await refused('an unknown id', registry('GET', `/v1/users/${unknown}`), { status: 404, code: 'ERR_USER_NOT_FOUND' })
    await refused('an id that is none', registry('GET', '/v1/users/42'), { status: 400, code: 'ERR_REQUEST_INVALID' })
    await refused('a cursor of another listing', registry('GET', '/v1/users?cursor=bm90IG91cnM'), {
      status: 400,
      code: 'ERR_CURSOR_INVALID',
    })
    await refused('a path there is not', registry('GET', '/v1/robots'), { status: 404, code: 'ERR_ROUTE_UNKNOWN' })

    const key = { 'idempotency-key': 'the-same-key-0001' }
    const person = somebody()
    const first = await post(person, key)
    expect(await post(person, key)).toMatchObject({ status: 201, body: first.body })
    await refused('an Idempotency-Key used for another body', post(somebody(), key), {
      status: 422,
      code: 'ERR_IDEMPOTENCY_KEY_REUSED',
    })
  })

  test('of an import is said line by line, and the good lines are imported', async () => {
    const good = somebody()
    const twin = { ...somebody(), userName: good.userName }
    const lines = [
      JSON.stringify(good),
      `{"userName": "${CANARY}`,
      JSON.stringify(twin),
      JSON.stringify({ shoeSize: 47 }),
    ]
    const answer = await registry('POST', '/v1/users/import', {
      body: `${lines.join('\n')}\n`,
      headers: { 'content-type': 'application/x-ndjson', accept: 'application/x-ndjson' },
    })
    const results = String(answer.body)
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { line: number; status: string; error?: { code: string } })
      .filter(({ line }) => line !== undefined)
    expect(results.map(({ line, status }) => [line, status])).toEqual([
      [1, 'created'],
      [2, 'failed'],
      [3, 'failed'],
      [4, 'failed'],
    ])
    expect(String(answer.body)).not.toContain(CANARY)
    const codes = results.flatMap(({ error }) => (error ? [`\`${error.code}\``] : []))
    table.add('a bad line of an NDJSON import (malformed, taken, invalid)', `200; its line says ${codes.join(', ')}`)
  })

  test('of a CSV goes to the error file with its line, and the command exits with 1', async () => {
    const csv = join(stack.directory, 'people.csv')
    writeFileSync(
      csv,
      `userName,email,givenName\n${CANARY}-csv,${CANARY}.csv@canary.example,${CANARY}\n${CANARY}-bad,no address,${CANARY}\n`,
    )
    const { code, report } = await rollcall(stack.endpointsPath, 'users', 'import', csv)
    expect(code).toBe(1)
    expect(report).toMatchObject({ created: 1, failed: 1 })
    const bad = JSON.parse(readFileSync(`${csv}.errors.ndjson`, 'utf8').trim()) as { line: number; code: string }
    expect(bad.line).toBe(3)
    table.add(
      'a bad CSV line',
      `exit code 1; the error file holds line ${bad.line}: \`${bad.code}\`; the others are imported`,
    )
  })

  test('of a reader of the directory is refused alike', async () => {
    const { id } = await created()
    await refused('a freshness token that is none', directory(`/v1/people/${id}?atLeast=${CANARY}`), {
      status: 400,
      code: 'ERR_REQUEST_INVALID',
    })
    await refused('a version that is not there yet', directory(`/v1/people/${id}?atLeast=${id}@9`), {
      status: 503,
      code: 'ERR_PROJECTION_BEHIND',
    })
    await refused('a person nobody knows', directory('/v1/people/01890000-0000-7000-8000-000000000000'), {
      status: 404,
      code: 'ERR_PERSON_NOT_FOUND',
    })
  })
})

describe('what is down', () => {
  const ready = (service: 'registry' | 'relay' | 'directory') => answers(`${stack.services[service].url}/health/ready`)
  const live = (service: 'registry' | 'relay' | 'directory') => answers(`${stack.services[service].url}/health/live`)

  test('Kafka: changes are accepted, the relay is not ready, and ships them once Kafka is back', async () => {
    const kafka = stack.process('kafka')
    await kafka.kill('SIGKILL')
    const { id, answer } = await created()
    await until(
      { what: 'the relay says that Kafka is missing', timeoutMs: 30_000 },
      async () => !(await ready('relay')),
    )
    expect(await live('relay')).toBe(true)
    expect(await ready('registry')).toBe(true)

    await kafka.start()
    const person = await until({ what: 'the change arrives', timeoutMs: 30_000 }, async () => {
      const found = await seen(id, answer)
      return found.status === 200 && found
    })
    expect(person).toMatchObject({ body: { id } })
    await until({ what: 'the relay is ready', timeoutMs: 30_000 }, () => ready('relay'))
    table.add('Kafka down', 'changes are answered as ever and kept; relay not ready; shipped when Kafka is back')
  })

  test('Postgres: requests are refused with 503, nobody dies, and work goes on once it is back', async () => {
    const before = Object.values(stack.services).map(({ pid }) => pid)
    const postgres = stack.process('postgres')
    await postgres.kill('SIGKILL')
    const answer = await registry('POST', '/v1/users', { body: somebody() })
    expect(answer).toMatchObject({ status: 503, body: { code: expect.stringMatching(/^ERR_/) } })
    expect(JSON.stringify(answer.body)).not.toContain(CANARY)
    for (const service of ['registry', 'relay', 'directory'] as const) {
      await until({ what: `${service} says so`, timeoutMs: 30_000 }, async () => !(await ready(service)))
      expect(await live(service)).toBe(true)
    }
    table.add('Postgres down', `503 \`${(answer.body as { code: string }).code}\`; live, not ready; no restart needed`)

    await postgres.start()
    for (const service of ['registry', 'relay', 'directory'] as const) {
      await until({ what: `${service} is ready again`, timeoutMs: 30_000 }, () => ready(service))
    }
    expect(Object.values(stack.services).map(({ pid }) => pid)).toEqual(before)
    const { id, answer: later } = await created()
    expect(await seen(id, later)).toMatchObject({ status: 200 })
  })

  test('the schema registry: running services do not notice, starting ones wait for it', async () => {
    const schemas = stack.process('schema-registry')
    await schemas.kill('SIGKILL')
    const { id, answer } = await created()
    expect(await seen(id, answer)).toMatchObject({ status: 200 })

    const service = stack.services.directory
    await service.kill('SIGKILL')
    const starting = service.start()
    await until({ what: 'the directory is live', timeoutMs: 30_000 }, () => live('directory'))
    expect(await ready('directory')).toBe(false)
    await until({ what: 'the directory says what it waits for', timeoutMs: 30_000 }, () =>
      /"dependency":"schema registry".*waiting for a dependency/.test(readFileSync(service.logFile, 'utf8')),
    )

    await schemas.start()
    await starting
    const { id: next, answer: later } = await created()
    expect(await seen(next, later)).toMatchObject({ status: 200 })
    table.add('schema registry down', 'running services go on; a starting one is live, not ready, and waits for it')
  })

  test('a wrong schema on the topic parks the user it names, loudly, and nobody else, until it is discarded', async () => {
    const victim = await created()
    await seen(victim.id, victim.answer)
    const partition = partitionOf(Buffer.from(victim.id), 12)
    const value = Buffer.concat([Buffer.from([0, 0, 0x7f, 0xff, 0xff]), Buffer.from(CANARY)])
    await sendRecord(stack.endpoints.kafka, partition, encodeRecordBody({ key: victim.id, value }))

    const log = await until({ what: 'the directory says so', timeoutMs: 30_000 }, () => {
      const lines = readFileSync(stack.services.directory.logFile, 'utf8').split('\n')
      return lines.find((line) => line.includes('"level":"error"') && line.includes(victim.id))
    })
    expect(log).toContain('user parked')
    let neighbours = 0
    while (neighbours === 0) {
      const other = await created()
      expect(await seen(other.id, other.answer)).toMatchObject({ status: 200 })
      if (partitionOf(Buffer.from(other.id), 12) === partition) neighbours++
    }
    expect(await ready('directory')).toBe(true)

    const patched = await registry('PATCH', `/v1/users/${victim.id}`, { headers: MERGE_PATCH, body: { locale: 'de' } })
    expect(await seen(victim.id, patched)).toMatchObject({ status: 503 })
    const url = `${stack.services.directory.url}/admin/projections/people/dead-letters`
    expect(await request('GET', `${url}/${victim.id}`)).toMatchObject({
      status: 200,
      body: { letters: 2, failures: [{ code: 'ERR_PROJECTION_EVENT_UNREADABLE' }] },
    })
    const discard = { body: { reason: 'sent by hand, in a story' } }
    expect(await request('POST', `${url}/${victim.id}/discard`, discard)).toMatchObject({
      status: 200,
      body: { discarded: 1, left: 1 },
    })
    expect(await request('POST', `${url}/${victim.id}/retry`)).toMatchObject({ status: 200, body: { left: 0 } })
    expect(await seen(victim.id, patched)).toMatchObject({ status: 200 })
    const code = /ERR_SCHEMA\w+|ERR_EVENT\w+/.exec(log)?.[0]
    table.add(
      'wrong schema on the topic',
      `the user it names is parked, with \`${code}\` in log, metric and status; everybody else flows`,
    )
  })
})

test('the README states what bad input gets', () => {
  expect(table.tried()).toBe(table.stated())
})

test('no process wrote personal data to its log', () => {
  const logs = logFiles(stack.directory)
  const named = (name: string) => logs.some((path) => path.endsWith(`/${name}.log`))
  expect(
    ['registry', 'relay', 'directory', 'postgres', 'kafka', 'schema-registry'].filter((name) => !named(name)),
  ).toEqual([])
  for (const path of logs) {
    const line = readFileSync(path, 'utf8')
      .split('\n')
      .find((text) => text.toLowerCase().includes(CANARY.toLowerCase()) || text.includes('1555777'))
    expect({ path, line }).toEqual({ path, line: undefined })
  }
})

function logFiles(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.log') && !name.includes('node-'))
    .map((name) => join(directory, name))
    .filter((path) => statSync(path).isFile())
}
