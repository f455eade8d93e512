#!/usr/bin/env node
import { createPool, isTransientDatabaseError } from '@rollcall/database'
import { createApp, runMain, serve, untilAvailable } from '@rollcall/http'
import { createKafka } from '@rollcall/kafka'
import { createLogger, createMetrics, startTracing } from '@rollcall/observability'
import { createRelay, relayHealthy } from '@rollcall/outbox'
import { loadRelayConfig } from './config.js'
import { prepareDatabase } from './prepare-database.js'
import { LOCAL_PRINCIPAL } from './principal.js'
import { reanchorCommand } from './relay/reanchor-command.js'
import { addRelayRoutes, RELAY_PROBLEMS } from './relay/relay-routes.js'
import { VERSION } from './version.js'

await runMain(async () => {
  const config = loadRelayConfig()
  const logger = createLogger({ service: 'user-registry-relay', level: config.LOG_LEVEL })
  const metrics = createMetrics('user-registry-relay')
  const tracing = startTracing({ service: 'user-registry-relay', endpoint: config.OTEL_EXPORTER_OTLP_ENDPOINT })
  const pool = createPool({ url: config.DATABASE_URL, max: 2, applicationName: 'relay status' }, { logger })
  const reanchor = reanchorCommand(process.argv.slice(2))
  if (reanchor !== undefined) {
    process.stdout.write(`${await reanchor(pool)}\n`)
    await pool.end()
    return
  }
  const kafka = createKafka(config, { logger, metrics })
  const closing = new AbortController()
  const relay = createRelay({
    databaseUrl: config.DATABASE_URL,
    kafka,
    logger,
    metrics,
    options: { retention: { keepMs: config.OUTBOX_KEEP_MS } },
  })

  const app = await createApp({
    service: 'user-registry-relay',
    version: VERSION,
    logger,
    metrics,
    readiness: { relay: () => relayHealthy(relay) },
    isTransient: isTransientDatabaseError,
    problems: RELAY_PROBLEMS,
  })
  addRelayRoutes(app, { pool, relay, principalOf: () => LOCAL_PRINCIPAL })
  await serve(app, {
    host: config.HOST,
    port: config.PORT,
    logger,
    onClose: async () => {
      closing.abort()
      await relay.stop()
      await kafka.close()
      await pool.end()
      await tracing.close()
    },
  })

  await untilAvailable('postgres', () => prepareDatabase(config.DATABASE_URL, pool), {
    logger,
    signal: closing.signal,
    isTransient: isTransientDatabaseError,
  })
  relay.start()
  // It ends by itself only for a reason that no retry can mend; the process ends with it, and says why.
  await relay.finished
})
