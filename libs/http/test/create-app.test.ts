import { RollcallError } from '@rollcall/errors'
import { createLogger, createMetrics, currentRequest, type Logger } from '@rollcall/observability'
import { z } from 'zod'
import type { App } from '../src/app.js'
import { createApp } from '../src/create-app.js'
import type { Problem } from '../src/problem.js'
import { OWN_PROBLEMS } from '../src/problem-answers.js'

const CANARY = 'canary-7f3a@example.com'

let app: App
let lines: string[]
let ready: () => Promise<void>

const logger = (): Logger => createLogger({ service: 'test', destination: { write: (line) => void lines.push(line) } })

beforeEach(async () => {
  lines = []
  ready = async () => {}
  app = await createApp({
    service: 'test',
    version: '1.2.3',
    logger: logger(),
    metrics: createMetrics('test'),
    problems: { ERR_THING_TAKEN: 409 },
    readiness: { store: () => ready() },
    readinessTimeoutMs: 50,
    isTransient: (error) => (error as { code?: string }).code === '57P01',
    openapi: { title: 'Things' },
    bodyLimitBytes: 1_000,
  })
  app.post(
    '/things/:id',
    {
      schema: {
        params: z.object({ id: z.coerce.number().int() }),
        body: z.strictObject({
          name: z.string().max(10),
          tags: z.array(z.strictObject({ 'a/b': z.string() })).optional(),
        }),
      },
    },
    async () => ({ correlationId: currentRequest()?.correlationId }),
  )
  app.get('/fails/:how', async (request) => {
    const { how } = request.params as { how: string }
    if (how === 'domain') throw new RollcallError({ code: 'ERR_THING_TAKEN', message: 'It is taken.' })
    if (how === 'transient')
      throw Object.assign(new Error(`terminated for ${CANARY}`), { code: '57P01', detail: CANARY })
    if (how === 'retryable') throw new RollcallError({ code: 'ERR_OTHER', message: 'later', retryable: true })
    throw Object.assign(new Error(`secret of ${CANARY}`), { detail: CANARY, parameters: [CANARY] })
  })
})

afterEach(() => app.close())

const post = (
  payload: string,
  headers: Record<string, string> = { 'content-type': 'application/json' },
  url = '/things/1',
) => app.inject({ method: 'POST', url, payload, headers })

test.each([
  ['malformed JSON', () => post('{"name": oops}'), 400, 'ERR_BODY_MALFORMED'],
  ['a body that ends early', () => post('{"name": "x"'), 400, 'ERR_BODY_MALFORMED'],
  ['a member called __proto__', () => post('{"__proto__": {"admin": true}}'), 400, 'ERR_BODY_MALFORMED'],
  ['a __proto__ in escapes', () => post('{"\\u005f_proto__": {"admin": true}}'), 400, 'ERR_BODY_MALFORMED'],
  ['nesting without end', () => post(`{"name":${'['.repeat(900)}`), 400, 'ERR_BODY_MALFORMED'],
  ['an oversized body', () => post(JSON.stringify({ name: 'x'.repeat(2_000) })), 413, 'ERR_BODY_TOO_LARGE'],
  ['another media type', () => post('name=x', { 'content-type': 'text/plain' }), 415, 'ERR_MEDIA_TYPE_UNSUPPORTED'],
  ['an unknown address', () => app.inject('/nowhere'), 404, 'ERR_ROUTE_UNKNOWN'],
  ['another method', () => app.inject({ method: 'GET', url: '/things/1' }), 405, 'ERR_METHOD_NOT_ALLOWED'],
  ['a domain error', () => app.inject('/fails/domain'), 409, 'ERR_THING_TAKEN'],
  ['a dependency that will be back', () => app.inject('/fails/transient'), 503, 'ERR_DEPENDENCY_UNAVAILABLE'],
  ['a retryable error of no listed code', () => app.inject('/fails/retryable'), 503, 'ERR_DEPENDENCY_UNAVAILABLE'],
  ['an unexpected error', () => app.inject('/fails/otherwise'), 500, 'ERR_INTERNAL'],
])('%s is answered as problem details', async (_name, ask, status, code) => {
  const answer = await ask()
  expect(answer.statusCode).toBe(status)
  expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8')
  const problem = answer.json<Problem>()
  expect(problem).toMatchObject({ status, code, type: `urn:rollcall:problem:${code}` })
  expect(problem.correlationId).toBe(answer.headers['x-correlation-id'])
  expect(problem.detail.length).toBeGreaterThan(5)
  expect(answer.headers['retry-after']).toBe(status === 503 ? '1' : undefined)
  expect(code === 'ERR_THING_TAKEN' || OWN_PROBLEMS[code] === status).toBe(true)
})

test('the wrong fields of a request are named by JSON pointers, all at once, without their values', async () => {
  const answer = await post(JSON.stringify({ name: 7, tags: [{ 'a/b': 1 }], 'x~y': CANARY }))
  const { errors } = answer.json<Problem>()
  expect(errors?.map(({ pointer }) => pointer).sort()).toEqual(['/name', '/tags/0/a~1b', '/x~0y'])
  expect(answer.payload).not.toContain(CANARY)
  const query = await post('{"name":"x"}', undefined, '/things/one')
  expect(query.json<Problem>().errors).toEqual([expect.objectContaining({ pointer: '/id', in: 'path' })])
})

test('malformed JSON is located without being quoted', async () => {
  const answer = await post(`{"name":\n "${CANARY}" "again"}`)
  expect(answer.json<Problem>().detail).toMatch(/line 2, column \d+/)
  expect(answer.payload).not.toContain(CANARY)
})

test('no personal data of a failing request is in a log line, and the line can be found by correlation id', async () => {
  const failed = await app.inject({
    url: `/fails/otherwise?email=${CANARY}`,
    headers: { 'x-correlation-id': 'call-17' },
  })
  await post(`{"name": "${CANARY}", "bad"`)
  expect(failed.payload).not.toContain(CANARY)
  expect(lines.join('')).not.toContain(CANARY)
  expect(lines.filter((line) => line.includes('"correlationId":"call-17"')).length).toBeGreaterThanOrEqual(2)
})

test('a request keeps its correlation id through the reading of its body; a mad one is replaced', async () => {
  const kept = await post('{"name":"x"}', { 'content-type': 'application/json', 'x-correlation-id': 'call-1' })
  expect(kept.json()).toEqual({ correlationId: 'call-1' })
  const replaced = await post('{"name":"x"}', { 'content-type': 'application/json', 'x-correlation-id': 'a b' })
  expect(replaced.headers['x-correlation-id']).not.toBe('a b')
  expect(replaced.json()).toEqual({ correlationId: replaced.headers['x-correlation-id'] })
})

test('readiness names what is missing and why, within its time limit', async () => {
  expect((await app.inject('/health/ready')).statusCode).toBe(200)
  ready = async () => Promise.reject(new Error('no connection'))
  const failed = await app.inject('/health/ready')
  expect(failed.statusCode).toBe(503)
  expect(failed.json()).toMatchObject({ checks: { store: { status: 'failed', reason: 'no connection' } } })
  ready = () => new Promise(() => {})
  expect((await app.inject('/health/ready')).json()).toMatchObject({
    checks: { store: { reason: 'no answer within 50 ms' } },
  })
  expect((await app.inject('/health/live')).json()).toEqual({ status: 'live', service: 'test', version: '1.2.3' })
})

test('readiness shows no password of a connection string, and overlapping probes share one round', async () => {
  let rounds = 0
  ready = async () => {
    rounds++
    throw new Error('no answer from postgresql://app:hunter2@127.0.0.1:5432/x')
  }
  const [first, second] = await Promise.all([app.inject('/health/ready'), app.inject('/health/ready')])
  expect(first.payload).toContain('no answer from postgresql://(hidden)@127.0.0.1:5432/x')
  expect(second.payload).toBe(first.payload)
  expect(rounds).toBe(1)
})

test('requests are measured by route pattern', async () => {
  await post('{"name":"x"}')
  const { payload } = await app.inject('/metrics')
  const counted = payload.split('\n').find((line) => line.startsWith('rollcall_http_request_duration_seconds_count'))
  expect(counted).toMatch(/method="POST",route="\/things\/:id",status="200"\} 1$/)
})

test('the API describes itself, and its page needs nobody else', async () => {
  const document = (await app.inject('/openapi.json')).json()
  expect(document).toMatchObject({ openapi: '3.1.0', info: { title: 'Things', version: '1.2.3' } })
  expect(Object.keys(document.paths)).toContain('/things/{id}')
  expect(document.paths['/things/{id}'].post.responses.default.content).toEqual({
    'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
  })
  expect(document.components.schemas.Problem.required).toContain('correlationId')
  const page = await app.inject('/docs/')
  expect(page.statusCode).toBe(200)
  expect(page.payload).not.toMatch(/(?:src|href)="https?:/)
})
