#!/usr/bin/env node
// The stack alone, without services: for tests and for work on one service. Runs until it is told to stop.
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { startEmbeddedStack, supervise, writeEndpoints } from '@rollcall/dev'

const { values } = parseArgs({
  options: { data: { type: 'string' }, 'no-fsync': { type: 'boolean', default: false } },
})
if (!values.data) {
  console.error('usage: node infra/dev/bin/stack.mjs --data DIR [--no-fsync]')
  process.exit(2)
}
const dataDir = resolve(values.data)
const endpointsFile = join(dataDir, 'endpoints.json')
const startedAt = Date.now()
let stack
let stopping = false

const stop = async () => {
  if (stopping) return
  stopping = true
  supervisor?.stop()
  await stack?.stop()
  process.exit(0)
}
let supervisor
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => void stop())

try {
  stack = await startEmbeddedStack({
    dataDir,
    fsync: !values['no-fsync'],
    onReady: ({ name, tookMs }) => console.log(`${name} is ready after ${tookMs} ms`),
    onSwept: (names) => console.log(`ended what an earlier, killed stack had left: ${names.join(', ')}`),
  })
} catch (error) {
  console.error(error.message)
  process.exit(1)
}
const write = () => writeEndpoints(endpointsFile, stack.endpoints())
supervisor = supervise(stack.processes, {
  report: (line) => console.log(`${new Date().toISOString()} ${line}`),
  onChange: write,
})
write()
console.log(`ready after ${Date.now() - startedAt} ms; addresses in ${endpointsFile}`)
