import { createInterface } from 'node:readline'
import { endAll } from './pid-file.js'
import type { ProcessIdentity } from './process-identity.js'

// Runs as its own process: learns of children on standard input, and ends them when that closes, because the parent is gone.
const watched = new Map<number, ProcessIdentity>()

const lines = createInterface({ input: process.stdin })
lines.on('line', (line) => {
  const message = JSON.parse(line) as { watch?: ProcessIdentity; unwatch?: ProcessIdentity }
  if (message.watch) watched.set(message.watch.pid, message.watch)
  if (message.unwatch) watched.delete(message.unwatch.pid)
})
lines.on('close', () => {
  void endAll([...watched.values()]).then(() => process.exit(0))
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
