import { readFileSync } from 'node:fs'
import { createMetrics, redact, startTracing, withSpan } from '../src/index.js'
import { logSink } from '../src/testing/index.js'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

test('the example of the README works', async () => {
  const { logger, lines } = logSink('directory')
  const metrics = createMetrics('directory')
  const tracing = startTracing({ service: 'directory', endpoint: undefined })
  const applied = metrics.counter({ name: 'rollcall_things_applied_total', help: 'Things applied here.' })
  await withSpan('apply', { parent: undefined, kind: 'consumer' }, async () => {
    applied.inc()
    logger.info({ thingId: 7 }, 'thing applied')
  })
  await tracing.close()
  expect(lines()[0]).toMatchObject({ service: 'directory', thingId: 7, msg: 'thing applied' })
  expect(await metrics.text()).toContain('rollcall_things_applied_total{service="directory"} 1')
})

test('the README lists every hidden key, and only hidden ones', () => {
  const listed = /Hidden keys: `([\s\S]*?)`/.exec(readme)?.[1]?.split(/\s+/) ?? []
  for (const key of listed) expect(redact({ [key]: 'x' })).toEqual({ [key]: '(hidden)' })
  const source = readFileSync(new URL('../src/redact.ts', import.meta.url), 'utf8')
  const keys = /HIDDEN_KEYS = new Set\(([\s\S]*?)\.map/.exec(source)?.[1]?.match(/(?<=')\w+(?=')/g) ?? []
  expect(new Set(listed)).toEqual(new Set(keys))
})

test('the README names every error code, and no other', () => {
  expect(new Set(readme.match(/ERR_[A-Z_]+/g))).toEqual(new Set(['ERR_METRIC_INVALID']))
})
