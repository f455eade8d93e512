import { beginSpan, currentTraceparent, runWithRequest, startTracing, withSpan } from '../src/index.js'
import { type SpanSink, spanSink } from '../src/testing/index.js'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const PARENT = `00-${TRACE}-00f067aa0ba902b7-01`

test('while no tracing is started, work is done all the same and a traceparent that came in is passed on', async () => {
  expect(startTracing({ service: 'x' }).enabled).toBe(false)
  expect(withSpan('a', {}, () => 7)).toBe(7)
  expect(await withSpan('b', {}, async () => 8)).toBe(8)
  expect(currentTraceparent()).toBeUndefined()
  runWithRequest({ correlationId: 'c', traceparent: PARENT }, () => {
    withSpan('c', {}, () => expect(currentTraceparent()).toBe(PARENT))
  })
})

describe('with a collector', () => {
  let sink: SpanSink
  let tracing: ReturnType<typeof startTracing>

  beforeAll(async () => {
    sink = await spanSink()
    tracing = startTracing({ service: 'traced', endpoint: `${sink.endpoint}/`, delayMs: 5 })
  })

  afterAll(async () => {
    await tracing.close()
    await sink.close()
  })

  const named = (name: string) => sink.waitFor((span) => span.name === name)

  test('a span continues a traceparent, and what runs inside it is its child, across awaits', async () => {
    const inner = await withSpan(
      'outer',
      { parent: PARENT, kind: 'consumer', attributes: { partition: 3 } },
      async () => {
        await new Promise(setImmediate)
        return withSpan('inner', {}, () => currentTraceparent())
      },
    )
    const [outer, child] = [await named('outer'), await named('inner')]
    expect(outer).toMatchObject({
      service: 'traced',
      traceId: TRACE,
      parentSpanId: '00f067aa0ba902b7',
      kind: 5,
      failed: false,
    })
    expect(outer.attributes.partition).toBe(3)
    expect(child).toMatchObject({ traceId: TRACE, parentSpanId: outer.spanId })
    expect(inner).toBe(`00-${TRACE}-${child.spanId}-01`)
  })

  test('a failure is thrown on and marks the span, without its message', async () => {
    const boom = Object.assign(new Error('secret-canary'), { code: 'ERR_BOOM' })
    expect(() =>
      withSpan('failed-now', {}, () => {
        throw boom
      }),
    ).toThrow(boom)
    await expect(withSpan('failed-later', {}, () => Promise.reject(boom))).rejects.toBe(boom)
    for (const name of ['failed-now', 'failed-later']) {
      const span = await named(name)
      expect(span).toMatchObject({ failed: true, attributes: { 'error.type': 'ERR_BOOM' } })
      expect(JSON.stringify(span)).not.toContain('canary')
    }
  })

  test.each([
    '',
    'nonsense',
    `ff-${TRACE}-00f067aa0ba902b7-01`,
    `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
    `00-${TRACE.toUpperCase()}-00f067aa0ba902b7-01`,
  ])('the unreadable traceparent %j starts a trace of its own', (parent) => {
    const span = beginSpan('fresh', { parent })
    expect(span.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
    expect(span.traceparent).not.toContain(TRACE)
    span.end()
  })

  test('a trace that its caller does not sample is not recorded, and goes on unsampled', () => {
    const unsampled = `00-${TRACE}-00f067aa0ba902b7-00`
    expect(beginSpan('quiet', { parent: unsampled }).traceparent).toBeUndefined()
  })
})

test('a collector that is down costs neither requests nor the shutdown', async () => {
  const tracing = startTracing({ service: 'x', endpoint: 'http://127.0.0.1:9', delayMs: 5 })
  expect(withSpan('lost', {}, () => 1)).toBe(1)
  await tracing.close()
})
