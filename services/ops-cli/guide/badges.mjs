// A service of another team: it prints name badges. It has a bug, to practise on: see practice.md.
import { readFileSync } from 'node:fs'
import { createPool, ensureDatabase, migrate } from '@rollcall/database'
import { createCodec, userLifecycle } from '@rollcall/events'
import { createApp, serve } from '@rollcall/http'
import { createKafka } from '@rollcall/kafka'
import { createLogger, createMetrics } from '@rollcall/observability'
import { defineProjection, pgStore, projectionMigrations, runProjections } from '@rollcall/projections'
import { addProjectionAdmin, PROJECTION_PROBLEMS } from '@rollcall/projections/admin'

const badges = defineProjection({
  name: 'badges',
  version: 1,
  topic: userLifecycle,
  table: {
    name: 'badge',
    key: 'user_id',
    row: (user) => ({
      label: `${user.name.given} ${user.name.family}`,
      version: user.version,
    }),
  },
})

const { kafka: brokers, schemaRegistry, postgres } = JSON.parse(readFileSync('.rollcall/endpoints.json', 'utf8'))
const url = Object.assign(new URL(postgres), { pathname: '/badges' }).href
const logger = createLogger({ service: 'badges' })
const metrics = createMetrics('badges')
await ensureDatabase(url)
const pool = createPool({ url, applicationName: 'badges' }, { logger })
await migrate(pool, [projectionMigrations])
await pool.query(
  'CREATE TABLE IF NOT EXISTS badge (user_id uuid PRIMARY KEY, label text NOT NULL, version bigint NOT NULL)',
)
const kafka = createKafka({ KAFKA_BROKERS: brokers.split(',') }, { logger, metrics })
const codec = createCodec(userLifecycle, { schemaRegistryUrl: schemaRegistry })
await codec.ready()
let address
const projections = runProjections([badges], {
  ...{ kafka, database: pgStore(pool), codec, logger, metrics, groupId: 'badges' },
  announce: { service: 'badges', url: () => address },
})
const app = await createApp({
  ...{ service: 'badges', version: '1.0.0', logger, metrics, problems: PROJECTION_PROBLEMS },
  readiness: { projections: projections.checkProgress },
})
addProjectionAdmin(app, projections)
app.get(
  '/badges/:id',
  async ({ params }) => (await pool.query('SELECT * FROM badge WHERE user_id = $1', [params.id])).rows,
)
const onClose = async () => {
  await projections.close()
  await kafka.close()
  await pool.end()
}
address = await serve(app, { host: '127.0.0.1', port: 7420, logger, onClose })
await projections.start()
