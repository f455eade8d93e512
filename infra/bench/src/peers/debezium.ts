import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Pool } from '@rollcall/database'
import { findFreePort, findJava, manageProcess, mavenClassPath } from '@rollcall/dev'
import type { BenchStack } from '../bench-stack.js'
import { topicOf, VERSION_HEADER } from './outbox-form.js'
import type { RelayProcess } from './relay-process.js'

const assets = fileURLToPath(new URL('../../debezium/', import.meta.url))

export interface DebeziumOptions {
  readonly stack: BenchStack
  readonly url: string
  readonly pool: Pool
}

/**
 * A standalone Kafka Connect worker with Debezium's Postgres connector and its outbox event router. Slot and publication
 * are made here, so that nothing written from now on is missed while the worker is down.
 */
export async function debezium({ stack, url, pool }: DebeziumOptions): Promise<RelayProcess> {
  const java = await findJava()
  const { classPath } = await mavenClassPath('debezium', join(assets, 'pom.xml'))
  const directory = await mkdtemp(join(tmpdir(), 'rollcall-debezium-'))
  const port = await findFreePort()
  const worker = join(directory, 'worker.properties')
  const connector = join(directory, 'connector.properties')
  await writeFile(worker, toProperties(workerSettings(stack.kafka, port, directory)))
  await writeFile(connector, toProperties(connectorSettings(new URL(url))))
  await pool.query(`CREATE PUBLICATION ${PUBLICATION} FOR TABLE outbox`)
  await pool.query('SELECT pg_create_logical_replication_slot($1, $2)', [SLOT, 'pgoutput'])
  const managed = manageProcess({
    name: `debezium-${randomUUID().slice(0, 8)}`,
    command: java.command,
    args: [
      '-Xmx1g',
      `-Dlog4j2.configurationFile=${join(assets, 'log4j2.properties')}`,
      '-cp',
      classPath,
      'org.apache.kafka.connect.cli.ConnectStandalone',
      worker,
      connector,
    ],
    marker: worker,
    pidDir: directory,
    logFile: join(directory, 'debezium.log'),
    ports: [],
    isReady: async () => true,
  })
  return {
    start: () => managed.start(),
    get pid() {
      if (managed.pid === undefined) throw new Error(`Debezium does not run; see ${managed.logFile}`)
      return managed.pid
    },
    kill: () => managed.kill('SIGKILL'),
    stop: () => managed.stop(),
    async close() {
      await managed.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

const SLOT = 'debezium'
const PUBLICATION = 'debezium'

function workerSettings(kafka: string, port: number, directory: string): Record<string, string> {
  return {
    'bootstrap.servers': kafka,
    listeners: `http://127.0.0.1:${port}`,
    'key.converter': 'org.apache.kafka.connect.storage.StringConverter',
    // What its documentation names for a payload that is Avro already.
    'value.converter': 'io.debezium.converters.BinaryDataConverter',
    'offset.storage.file.filename': join(directory, 'offsets'),
    // A minute by default, all of which a kill would repeat.
    'offset.flush.interval.ms': '1000',
    'plugin.discovery': 'service_load',
    'producer.linger.ms': '5',
    'producer.batch.size': '131072',
  }
}

function connectorSettings({ hostname, port, username, password, pathname }: URL): Record<string, string> {
  return {
    name: 'outbox',
    'connector.class': 'io.debezium.connector.postgresql.PostgresConnector',
    'tasks.max': '1',
    'database.hostname': hostname,
    'database.port': port,
    'database.user': decodeURIComponent(username),
    'database.password': decodeURIComponent(password),
    'database.dbname': pathname.slice(1),
    'topic.prefix': 'peers',
    'plugin.name': 'pgoutput',
    'slot.name': SLOT,
    'publication.name': PUBLICATION,
    'publication.autocreate.mode': 'disabled',
    'table.include.list': 'public.outbox',
    'snapshot.mode': 'no_data',
    'tombstones.on.delete': 'false',
    'poll.interval.ms': '5',
    'max.batch.size': '8192',
    'max.queue.size': '32768',
    transforms: 'outbox',
    'transforms.outbox.type': 'io.debezium.transforms.outbox.EventRouter',
    'transforms.outbox.route.topic.replacement': topicOf('debezium'),
    'transforms.outbox.table.fields.additional.placement': `version:header:${VERSION_HEADER}`,
  }
}

const toProperties = (settings: Readonly<Record<string, string>>) =>
  `${Object.entries(settings)
    .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\')}`)
    .join('\n')}\n`
