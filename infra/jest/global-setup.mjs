// Starts Postgres, Kafka and the schema registry once for the whole run; ROLLCALL_TEST_ENDPOINTS names the file with their
// addresses. When it is already set, that stack is used and left alone.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export default async function globalSetup() {
  if (process.env.ROLLCALL_TEST_ENDPOINTS) return
  const { loadStackConfig, onFreePorts, openStack, writeEndpoints } = await import('@rollcall/dev')
  const dataDir = mkdtempSync(join(tmpdir(), 'rollcall-test-'))
  const stack = await openStack({ config: onFreePorts(loadStackConfig()), dataDir, fsync: false })
  const file = join(dataDir, 'endpoints.json')
  writeEndpoints(file, stack.endpoints())
  process.env.ROLLCALL_TEST_ENDPOINTS = file
  globalThis.rollcallTestStack = { stack, dataDir }
}
