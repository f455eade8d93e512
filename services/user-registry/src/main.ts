#!/usr/bin/env node
import { createPool, isTransientDatabaseError } from '@rollcall/database'
import { createCodec, userLifecycle } from '@rollcall/events'
import { runMain, serve, untilAvailable } from '@rollcall/http'
import { createKafka } from '@rollcall/kafka'
import { createLogger, createMetrics, startTracing } from '@rollcall/observability'
import { createWakeUp } from '@rollcall/outbox'
import { loadRegistryConfig } from './config.js'
import { forgetAnswers } from './idempotency/forget-answers.js'
import { prepareDatabase } from './prepare-database.js'
import { followSubscribers } from './propagation/subscribers.js'
import { createRegistryApp } from './registry-app.js'
import { refuseUntilStarted } from './starting.js'

const FORGET_EVERY_MS = 600_000

await runMain(async () => {
  const config = loadRegistryConfig()
  const logger = createLogger({ service: 'user-registry', level: config.LOG_LEVEL })
  const metrics = createMetrics('user-registry')
  const tracing = startTracing({ service: 'user-registry', endpoint: config.OTEL_EXPORTER_OTLP_ENDPOINT })
  const pool = createPool(
    { url: config.DATABASE_URL, max: config.DATABASE_POOL, applicationName: 'user-registry' },
    { logger },
  )
  const codec = createCodec(userLifecycle, { schemaRegistryUrl: config.SCHEMA_REGISTRY_URL, register: true })
  const wakeUp = createWakeUp({ url: config.DATABASE_URL, logger })
  const kafka = createKafka(config, { logger, metrics })
  const subscribers = followSubscribers({ kafka, logger, of: userLifecycle.name })
  const closing = new AbortController()
  let isMigrated = false
  let knowsSchemas = false

  const app = await createRegistryApp({
    pool,
    codec,
    wakeUp,
    subscribers,
    logger,
    metrics,
    gracePeriodMs: config.DELETE_GRACE_PERIOD_MS,
    // Kafka is not among them: while it is down the outbox holds the events, and writes go on.
    readiness: {
      database: async () => {
        if (!isMigrated) throw new Error('not migrated yet')
        await pool.query('SELECT 1')
      },
      schemas: async () => {
        if (!knowsSchemas) throw new Error('the schema registry was not reachable since the start')
      },
    },
  })
  refuseUntilStarted(app, () => isMigrated)
  await serve(app, {
    host: config.HOST,
    port: config.PORT,
    logger,
    onClose: async () => {
      closing.abort()
      await subscribers.close()
      await kafka.close()
      await wakeUp.close()
      await pool.end()
      await tracing.close()
    },
  })

  subscribers.start()
  const waiting = { logger, signal: closing.signal }
  const migrated = async () => {
    await untilAvailable('postgres', () => prepareDatabase(config.DATABASE_URL, pool), {
      ...waiting,
      isTransient: isTransientDatabaseError,
    })
    isMigrated = true
    logger.info('database is migrated')
  }
  const learnSchemas = async () => {
    await untilAvailable('schema registry', () => codec.ready(), waiting)
    knowsSchemas = true
    logger.info('schemas are registered')
  }
  await Promise.all([migrated(), learnSchemas()])

  const forget = setInterval(() => {
    forgetAnswers(pool, config.IDEMPOTENCY_KEEP_MS).catch((error: unknown) =>
      logger.warn({ err: error }, 'old idempotent answers were not forgotten'),
    )
  }, FORGET_EVERY_MS)
  closing.signal.addEventListener('abort', () => clearInterval(forget))
})
