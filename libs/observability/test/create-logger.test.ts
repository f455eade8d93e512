import { RollcallError } from '@rollcall/errors'
import { createLogger, currentRequest, type LogLevel, runWithRequest } from '../src/index.js'
import { logSink } from '../src/testing/index.js'

const CANARY = 'Zébulon-canary'

test.each([
  ['an e-mail address', { email: CANARY }],
  ['e-mail addresses', { emails: [{ value: CANARY }] }],
  ['a login name, however it is spelled', { user_name: CANARY, 'User-Name': CANARY, userName: CANARY }],
  ['a name, whole or in parts', { name: CANARY, of: { given: CANARY, family: CANARY, displayName: CANARY } }],
  ['a telephone number', { phone: CANARY }],
  ['custom attributes', { attributes: { hobby: CANARY } }],
  ['a state before and after', { before: { x: CANARY }, after: { x: CANARY } }],
  ['an event, a payload, a record', { event: { x: CANARY }, payload: CANARY, record: { x: CANARY }, body: CANARY }],
  ['credentials', { headers: { authorization: CANARY, cookie: CANARY }, token: CANARY, password: CANARY }],
  ['bytes', { chunk: Buffer.from(CANARY), list: [new Uint8Array(8)] }],
  ['something deep', { a: { b: { c: [{ d: { phone: CANARY } }] } } }],
  ['something too deep', { a: { b: { c: { d: { e: { f: { g: { h: CANARY } } } } } } } }],
])('a log line does not show %s', (_what, facts) => {
  const sink = logSink()
  sink.logger.info(facts, 'something happened')
  sink.logger.child(facts).warn('something else happened')
  sink.logger.error({ err: new RollcallError({ code: 'ERR_X', message: 'it failed', facts }) }, 'it failed')
  expect(sink.lines()).toHaveLength(3)
  expect(sink.text()).not.toContain(CANARY)
  expect(sink.text()).not.toContain(Buffer.from(CANARY).toString('base64'))
})

test('ids and counts are shown', () => {
  const sink = logSink('registry')
  const at = new Date(0)
  sink.logger.info({ userId: 'u-1', version: 7, lagMs: 2.5, at, big: 2n ** 60n, topic: 't', absent: null }, 'applied')
  expect(sink.lines()[0]).toMatchObject({
    ...{ service: 'registry', level: 'info', msg: 'applied', userId: 'u-1', version: 7, lagMs: 2.5 },
    ...{ at: at.toISOString(), big: String(2n ** 60n), topic: 't', absent: null },
  })
  expect(sink.lines()[0]?.instance).toMatch(/:\d+$/)
})

test('the facts of a child and of its child are on its lines, and not on its parent', () => {
  const sink = logSink()
  sink.logger.child({ topic: 't' }).child({ partition: 3 }).info('read')
  sink.logger.info('other')
  expect(sink.lines()[0]).toMatchObject({ topic: 't', partition: 3 })
  expect(sink.lines()[1]).not.toHaveProperty('topic')
})

test('logging changes nothing in what it is given', () => {
  const facts = { email: CANARY, deep: { phone: CANARY } }
  logSink().logger.info(facts, 'x')
  expect(facts).toEqual({ email: CANARY, deep: { phone: CANARY } })
})

test('a message of megabytes is cut, between words, before anything looks for addresses in it', () => {
  const sink = logSink()
  const message = `${'x'.repeat(1_990)} ${CANARY}@example.org${'y'.repeat(5e6)}`
  sink.logger.error({ err: new Error(message) }, 'it failed')
  expect(sink.text()).not.toContain(CANARY)
  expect(sink.text().length).toBeLessThan(10_000)
})

test('an error of the database is shown without the row it quotes', () => {
  const sink = logSink()
  const duplicate = Object.assign(new Error('duplicate key value violates unique constraint "user_email_key"'), {
    ...{ severity: 'ERROR', code: '23505', constraint: 'user_email_key', detail: `Key (email)=(${CANARY}) exists.` },
    ...{ where: CANARY, parameters: [CANARY], internalQuery: CANARY },
  })
  const data = Object.assign(new Error(`invalid input syntax for type uuid: "${CANARY}"`), {
    ...{ severity: 'ERROR', code: '22P02' },
  })
  sink.logger.error({ err: duplicate }, 'write failed')
  sink.logger.error({ err: new Error('outer', { cause: data }) }, 'write failed')
  expect(sink.text()).not.toContain(CANARY)
  const [first, second] = sink.lines()
  expect(first?.err).toMatchObject({
    code: '23505',
    constraint: 'user_email_key',
    message: expect.stringContaining('duplicate key'),
  })
  expect(second?.err).toMatchObject({ cause: { code: '22P02', message: expect.stringContaining('type uuid') } })
})

test('an error of the JSON parser is shown without the text, and others without addresses and passwords', () => {
  const sink = logSink()
  try {
    JSON.parse(`{"a": ${CANARY}}`)
  } catch (err) {
    sink.logger.error({ err }, 'x')
  }
  sink.logger.error({ err: new Error(`no mail to ${CANARY}@example.org via smtp://u:${CANARY}@127.0.0.1`) }, 'x')
  expect(sink.text()).not.toContain(CANARY)
  expect(sink.lines()[1]?.err).toMatchObject({ message: 'no mail to (e-mail hidden) via smtp://(hidden)@127.0.0.1' })
})

test('the stack of an error is shown, without the message it begins with', () => {
  const sink = logSink()
  const error = new SyntaxError(`bad "${CANARY}\n at ${CANARY}"`)
  error.stack = `SyntaxError: ${error.message}\n    at parse (file.js:1:2)`
  sink.logger.error({ err: error }, 'x')
  expect(sink.lines()[0]?.err).toMatchObject({ stack: expect.arrayContaining(['at parse (file.js:1:2)']) })
})

test('something thrown that is no error is shown by its type only', () => {
  const sink = logSink()
  sink.logger.error({ err: new Error('outer', { cause: CANARY }) }, 'x')
  expect(sink.text()).not.toContain(CANARY)
  expect(sink.lines()[0]?.err).toMatchObject({ cause: { name: 'NonError', message: 'string' } })
})

test('lines written while a request runs carry its correlation id, across awaits, and no other line does', async () => {
  const sink = logSink()
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
  const request = { correlationId: 'call-1', traceparent: `00-${traceId}-00f067aa0ba902b7-01` }
  await runWithRequest(request, async () => {
    await new Promise(setImmediate)
    expect(currentRequest()).toBe(request)
    sink.logger.info('inside')
  })
  sink.logger.info('outside')
  expect(sink.lines()[0]).toMatchObject({ correlationId: 'call-1', traceId })
  expect(sink.lines()[1]).not.toHaveProperty('correlationId')
})

test('a level hides what is below it', () => {
  const lines: string[] = []
  const logger = createLogger({ service: 'x', level: 'warn', destination: { write: (line) => void lines.push(line) } })
  logger.info('hidden')
  logger.warn('shown')
  expect(lines).toHaveLength(1)
  const enabled = (['debug', 'info', 'warn', 'error'] satisfies LogLevel[]).filter((level) =>
    logger.isLevelEnabled(level),
  )
  expect(enabled).toEqual(['warn', 'error'])
})
