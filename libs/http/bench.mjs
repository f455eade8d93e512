import http from 'node:http'
import { createLogger, createMetrics } from '@rollcall/observability'
import Fastify from 'fastify'
import { z } from 'zod'
import { createApp } from './dist/index.js'

const schema = {
  body: z.strictObject({
    userName: z.string().max(64),
    emails: z.array(z.strictObject({ value: z.email(), primary: z.boolean().optional() })).max(20),
    name: z.strictObject({ given: z.string(), family: z.string() }),
    attributes: z.record(z.string(), z.json()),
  }),
  response: { 201: z.object({ id: z.string(), userName: z.string() }) },
}
const body = JSON.stringify({
  userName: 'user-1',
  emails: [{ value: 'user-1@example.org', primary: true }],
  name: { given: 'A', family: 'B' },
  attributes: { department: 'x', costCentre: 5 },
})
const handler = async (req, reply) => {
  await new Promise(setImmediate)
  reply.code(201)
  return { id: '1', userName: req.body.userName }
}
const bare = Fastify()
bare.post('/things', handler)
const logger = createLogger({ service: 'bench', destination: { write() {} } })
const whole = await createApp({
  service: 'bench',
  version: '1',
  logger,
  metrics: createMetrics('bench'),
  openapi: { title: 'x' },
})
whole.post('/things', { schema }, handler)
const noschema = await createApp({ service: 'bench', version: '1', logger, metrics: createMetrics('bench') })
noschema.post('/things', handler)
await whole.ready()
await bare.ready()
await noschema.ready()
const apps = { bare, noschema, whole }
async function run(app, n) {
  const t = process.cpuUsage()
  for (let i = 0; i < n; i += 50)
    await Promise.all(
      Array.from({ length: 50 }, () =>
        app.inject({ method: 'POST', url: '/things', headers: { 'content-type': 'application/json' }, payload: body }),
      ),
    )
  const u = process.cpuUsage(t)
  return (u.user + u.system) / n
}
const only = process.argv[2]
const r = Object.fromEntries(Object.keys(apps).map((k) => [k, []]))
for (let k = 0; k < 7; k++) for (const name of only ? [only] : Object.keys(apps)) r[name].push(await run(apps[name], 3000))
for (const name in r) if (r[name].length) console.log(name, r[name].sort((a, b) => a - b)[3].toFixed(1))
process.exit()
