#!/usr/bin/env node
import { createPool, ensureDatabase, isTransientDatabaseError, migrate, prismaAdapter } from '@rollcall/database'
import { createCodec, userLifecycle } from '@rollcall/events'
import { runMain, serve, untilAvailable } from '@rollcall/http'
import { createKafka } from '@rollcall/kafka'
import { createLogger, createMetrics, startTracing } from '@rollcall/observability'
import { pgStore, runProjections, userRegistry } from '@rollcall/projections'
import { loadDirectoryConfig } from './config.js'
import { createDirectoryApp } from './directory-app.js'
import { directoryMigrations } from './directory-migrations.js'
import { PrismaClient } from './generated/client.js'
import { people } from './people/people-projection.js'

await runMain(async () => {
  const config = loadDirectoryConfig()
  const logger = createLogger({ service: config.SERVICE_NAME, level: config.LOG_LEVEL })
  const metrics = createMetrics('directory')
  const tracing = startTracing({ service: 'directory', endpoint: config.OTEL_EXPORTER_OTLP_ENDPOINT })
  const pool = createPool({ url: config.DATABASE_URL, applicationName: 'directory' }, { logger })
  const prisma = new PrismaClient({ adapter: prismaAdapter(pool) })
  const kafka = createKafka(config, { logger, metrics })
  const codec = createCodec(userLifecycle, { schemaRegistryUrl: config.SCHEMA_REGISTRY_URL })
  let address: string | undefined
  const projections = runProjections([people], {
    kafka,
    database: pgStore(pool),
    codec,
    logger,
    metrics,
    groupId: config.SERVICE_NAME,
    announce: { service: config.SERVICE_NAME, url: () => address },
    ...(config.REGISTRY_URL === undefined ? {} : { registry: userRegistry({ registryUrl: config.REGISTRY_URL }) }),
  })
  const closing = new AbortController()
  let isStarted = false

  const app = await createDirectoryApp({
    prisma,
    projections,
    logger,
    metrics,
    atLeastWaitMs: config.AT_LEAST_WAIT_MS,
    readiness: {
      database: async () => void (await pool.query('SELECT 1')),
      projections: async () => {
        if (!isStarted) throw new Error('not started yet')
        await projections.checkProgress()
      },
    },
  })
  address = await serve(app, {
    host: config.HOST,
    port: config.PORT,
    logger,
    onClose: async () => {
      closing.abort()
      await projections.close()
      await kafka.close()
      await prisma.$disconnect()
      await pool.end()
      await tracing.close()
    },
  })

  // Whatever is not up yet is waited for: the order in which things start does not matter.
  const waiting = { logger, signal: closing.signal, isTransient: isTransientDatabaseError }
  await untilAvailable('postgres', () => ensureDatabase(config.DATABASE_URL), waiting)
  await untilAvailable('postgres', () => migrate(pool, directoryMigrations), waiting)
  // Before the first record, so that what was written with the schemas of today is decoded without waiting.
  await untilAvailable('schema registry', () => codec.ready(), waiting)
  await untilAvailable('kafka', () => projections.start(), waiting)
  isStarted = true
  logger.info('projections run')
})
