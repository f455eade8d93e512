import { createMetrics } from '../src/index.js'

test('a metric is shown with its help, its labels and the service', async () => {
  const metrics = createMetrics('registry')
  metrics
    .counter({ name: 'rollcall_things_total', help: 'Things that were made.', labelNames: ['kind'] })
    .inc({ kind: 'a' }, 3)
  const text = await metrics.text()
  expect(text).toContain('# HELP rollcall_things_total Things that were made.')
  expect(text).toContain('rollcall_things_total{kind="a",service="registry"} 3')
  expect(text).toContain('process_cpu_seconds_total{service="registry"}')
  expect(metrics.contentType).toContain('text/plain')
})

test('a gauge can be read at the moment it is scraped', async () => {
  const metrics = createMetrics('x')
  let waiting = 1
  metrics.gauge({ name: 'rollcall_waiting', help: 'Things that wait now.', collect: (gauge) => gauge.set(waiting) })
  waiting = 42
  expect(await metrics.text()).toContain('rollcall_waiting{service="x"} 42')
})

test('a histogram counts in seconds, from a millisecond on', async () => {
  const metrics = createMetrics('x')
  metrics.histogram({ name: 'rollcall_wait_seconds', help: 'How long it took.' }).observe(0.0008)
  expect(await metrics.text()).toContain('rollcall_wait_seconds_bucket{le="0.001",service="x"} 1')
})

test('asking twice gives the same metric; two services do not mix', async () => {
  const [one, other] = [createMetrics('one'), createMetrics('other')]
  const options = { name: 'rollcall_things_total', help: 'Things that were made.' }
  expect(one.counter(options)).toBe(one.counter(options))
  one.counter(options).inc()
  expect(await other.text()).not.toContain('rollcall_things_total')
})

test.each([
  ['without help', { name: 'rollcall_x', help: ' ' }],
  ['without our prefix', { name: 'things_total', help: 'Things that were made.' }],
  ['in camel case', { name: 'rollcall_thingsTotal', help: 'Things that were made.' }],
])('a metric %s is refused', (_what, options) => {
  expect(() => createMetrics('x').counter(options)).toThrow(expect.objectContaining({ code: 'ERR_METRIC_INVALID' }))
})

test('a name declared again with another shape is refused', () => {
  const metrics = createMetrics('x')
  const options = { name: 'rollcall_things', help: 'Things that were made.' }
  metrics.counter(options)
  expect(() => metrics.gauge(options)).toThrow(/already declared as counter\(\), not gauge\(\)/)
  expect(() => metrics.counter({ ...options, labelNames: ['kind'] })).toThrow(/ERR_METRIC_INVALID|not counter\(kind\)/)
})
