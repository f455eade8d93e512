import { rmSync } from 'node:fs'

export default async function globalTeardown() {
  const started = globalThis.rollcallTestStack
  if (!started) return
  await started.stack.stop()
  rmSync(started.dataDir, { recursive: true, force: true })
}
