import { readFileSync } from 'node:fs'
import { createMetrics } from '@rollcall/observability'
import { silentLogger as logger } from '@rollcall/observability/testing'
import { z } from 'zod'
import { createApp, serve } from '../src/index.js'
import { OWN_PROBLEMS } from '../src/problem-answers.js'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

test('the example of the README works', async () => {
  const metrics = createMetrics('directory')
  const app = await createApp({
    service: 'directory',
    version: '0.1.0',
    logger,
    metrics,
    problems: { ERR_PERSON_NOT_FOUND: 404 },
    readiness: { database: async () => {} },
    isTransient: () => false,
    openapi: { title: 'Directory' },
  })
  app.get('/v1/people/:id', { schema: { params: z.object({ id: z.uuid() }) } }, async ({ params: { id } }) => ({ id }))
  const address = await serve(app, { host: '127.0.0.1', port: 0, logger, onClose: async () => {} })
  const id = '019b8d2c-7660-7ce0-9d5e-f8d680ae476e'
  expect(await (await fetch(`${address}/v1/people/${id}`)).json()).toEqual({ id })
  expect((await fetch(`${address}/health/ready`)).status).toBe(200)
  await app.close()
  expect(await metrics.text()).toContain('rollcall_http_request_duration_seconds_count')
})

test('the table of the README is the one in the code', () => {
  const rows = [...readme.matchAll(/^\| (`ERR_.*) \| (\d{3}) \| (.+) \|$/gm)].map(([, code, status]) => [
    code,
    Number(status),
  ])
  const stated = Object.entries(OWN_PROBLEMS).map(([code, status]) => [`\`${code}\``, status])
  expect(rows).toEqual(stated)
})

test('the README names every error code of the package, and no other but its example', () => {
  const source = readFileSync(new URL('../src/http-errors.ts', import.meta.url), 'utf8')
  const codes = new Set([...(source.match(/ERR_[A-Z_]+/g) ?? []), ...Object.keys(OWN_PROBLEMS), 'ERR_PERSON_NOT_FOUND'])
  expect(new Set(readme.match(/ERR_[A-Z_]+/g))).toEqual(codes)
})
