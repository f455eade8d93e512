import { once } from 'node:events'
import { request } from 'node:http'
import { connect, createServer } from 'node:net'
import { createMetrics, type Logger, startTracing, withSpan } from '@rollcall/observability'
import { logSink, silentLogger, spanSink } from '@rollcall/observability/testing'
import type { App } from '../src/app.js'
import { createApp } from '../src/create-app.js'
import { serve } from '../src/serve.js'

const open: App[] = []

async function appWith(logger: Logger = silentLogger): Promise<App> {
  const app = await createApp({ service: 'test', version: '1', logger, metrics: createMetrics('test') })
  open.push(app)
  return app
}

afterEach(async () => {
  for (const app of open.splice(0)) await app.close()
})

const here = { host: '127.0.0.1', port: 0, logger: silentLogger }

test.each(['0.0.0.0', '::', '10.0.0.1', '192.168.1.5', 'example.org', ''])(
  '%j is refused: not loopback',
  async (host) => {
    await expect(serve(await appWith(), { ...here, host })).rejects.toMatchObject({ code: 'ERR_HOST_NOT_LOOPBACK' })
  },
)

test('a taken port is said plainly, with the way out', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as { port: number }
  await expect(serve(await appWith(), { ...here, port })).rejects.toMatchObject({
    code: 'ERR_PORT_TAKEN',
    message: expect.stringContaining(`127.0.0.1:${port}: another process listens there`),
  })
  other.close()
})

test('an app that is closed by hand leaves no signal handler behind', async () => {
  const before = process.listenerCount('SIGTERM')
  const app = await appWith()
  await serve(app, here)
  expect(process.listenerCount('SIGTERM')).toBe(before + 1)
  await app.close()
  expect(process.listenerCount('SIGTERM')).toBe(before)
})

test('a client that goes away before it is answered leaves one line', async () => {
  const sink = logSink()
  const app = await appWith(sink.logger)
  let gone = Promise.resolve<unknown>(undefined)
  const inside = new Promise<void>((entered) => {
    app.get('/slow', async (_asked, reply) => {
      gone = once(reply.raw, 'close')
      entered()
      await gone
      return {}
    })
  })
  const client = request(`${await serve(app, here)}/slow`).on('error', () => {})
  client.end()
  await inside
  client.destroy()
  await gone
  const lines = sink.lines().filter(({ route }) => route === '/slow')
  expect(lines.map(({ msg }) => msg)).toEqual(['request aborted'])
})

test('closing answers the request that is running, and takes no new one', async () => {
  const app = await appWith()
  let answer = () => {}
  const answered = new Promise<void>((resolve) => {
    answer = resolve
  })
  const inside = new Promise<void>((entered) => {
    app.get('/slow', async () => {
      entered()
      await answered
      return { done: true }
    })
  })
  const address = await serve(app, here)
  const running = fetch(`${address}/slow`)
  await inside
  const closed = app.close()
  await expect(fetch(`${address}/health/live`)).rejects.toThrow()
  answer()
  expect(await (await running).json()).toEqual({ done: true })
  await closed
})

test('what is no HTTP is answered 400, and the server lives on', async () => {
  const address = await serve(await appWith(), here)
  const socket = connect(Number(new URL(address).port), '127.0.0.1')
  socket.end('nonsense\r\n\r\n')
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  expect(Buffer.concat(chunks).toString()).toMatch(/^HTTP\/1.1 400 /)
  expect((await fetch(`${address}/health/live`)).status).toBe(200)
})

test('a request continues the trace of its caller, through to the spans inside it', async () => {
  const sink = await spanSink()
  const tracing = startTracing({ service: 'traced', endpoint: sink.endpoint, delayMs: 10 })
  const app = await appWith()
  app.get('/fails', async () => Promise.reject(Object.assign(new Error('x'), { code: '57P01' })))
  app.post('/traced/:id', async () => withSpan('inner', {}, ({ traceparent }) => ({ traceparent })))
  const address = await serve(app, here)
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
  const answer = await fetch(`${address}/traced/7`, {
    method: 'POST',
    headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01`, 'content-type': 'application/json' },
    body: '{}',
  })
  expect(await answer.json()).toEqual({ traceparent: expect.stringContaining(traceId) })
  const outer = await sink.waitFor(({ name }) => name === 'POST /traced/:id')
  const inner = await sink.waitFor(({ name }) => name === 'inner')
  expect(outer).toMatchObject({ service: 'traced', traceId, parentSpanId: '00f067aa0ba902b7', kind: 2, failed: false })
  expect(inner).toMatchObject({ traceId, parentSpanId: outer.spanId })
  expect(outer.attributes).toMatchObject({ 'http.route': '/traced/:id', 'http.response.status_code': 200 })
  await fetch(`${address}/fails`)
  const failed = await sink.waitFor(({ name }) => name === 'GET /fails')
  expect(failed).toMatchObject({ failed: true, attributes: { 'error.type': '57P01' } })
  await tracing.close()
  await sink.close()
})
