import { createTestDatabase, type TestDatabase } from '@rollcall/database/testing'
import { testEndpoints } from '@rollcall/dev'
import { createCodec, userLifecycle } from '@rollcall/events'
import type { App } from '@rollcall/http'
import { createMetrics } from '@rollcall/observability'
import { silentLogger } from '@rollcall/observability/testing'
import { createRegistryApp } from '../src/registry-app.js'
import { registryMigrations } from '../src/registry-migrations.js'

export const codec = createCodec(userLifecycle, { schemaRegistryUrl: testEndpoints().schemaRegistry, register: true })

export interface RegistryInTest {
  readonly app: App
  readonly database: TestDatabase
  close(): Promise<void>
}

/** The registry without its relay, on a database of its own. The header `x-tenant` names the tenant, `ours` by itself. */
export async function openRegistry(): Promise<RegistryInTest> {
  await codec.ready()
  const database = await createTestDatabase({ migrations: registryMigrations })
  const app = await createRegistryApp({
    pool: database.pool,
    codec,
    wakeUp: { poke: () => {} },
    logger: silentLogger,
    metrics: createMetrics('test'),
    principalOf: (request) => ({
      tenantId: String(request.headers['x-tenant'] ?? 'ours'),
      actor: { type: 'service', id: 'test' },
    }),
  })
  return {
    app,
    database,
    async close() {
      await app.close()
      await database.close()
    },
  }
}
