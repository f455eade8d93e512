import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cachedDirectory, cacheKey } from './cache.js'
import { findJava, type Java } from './java.js'
import { countBrokers } from './kafka-probe.js'
import { type ManagedProcess, manageProcess } from './managed-process.js'
import { mavenClassPath } from './maven-class-path.js'
import { findFreePort } from './ports.js'

const run = promisify(execFile)
const assets = fileURLToPath(new URL('../kafka/', import.meta.url))

export interface KafkaOptions {
  /** Kept between starts; created and formatted when missing. */
  readonly dataDir: string
  /** Three brokers replicate everything three times with two in sync, and fail over in one to four seconds. @default 1 */
  readonly brokers?: 1 | 3
  /** Client port of each broker. @default free ones */
  readonly ports?: readonly number[]
  /** Controller port of each broker. @default free ones */
  readonly controllerPorts?: readonly number[]
  /** More broker settings, by their Kafka names. */
  readonly settings?: Readonly<Record<string, string>>
  /** The optimising compiler costs start-up time and is worth it only under load. @default false */
  readonly optimise?: boolean
}

export interface KafkaBroker extends ManagedProcess {
  /** Kafka's node id, from 1. */
  readonly id: number
  readonly port: number
}

export interface KafkaCluster {
  /** Comma-separated addresses of all brokers. */
  readonly bootstrapServers: string
  readonly brokers: readonly KafkaBroker[]
  stop(): Promise<void>
}

/** Apache Kafka 4.4 in KRaft mode, each node broker and controller. @throws ToolMissingError, PortTakenError, ProcessNotStartedError */
export async function startKafka(options: KafkaOptions): Promise<KafkaCluster> {
  const { dataDir, brokers: count = 1 } = options
  const java = await findJava()
  const installed = await installKafka(java)
  const ids = Array.from({ length: count }, (_, index) => index + 1)
  const ports = options.ports ?? (await freePorts(count))
  const controllerPorts = options.controllerPorts ?? (await freePorts(count))
  const voters = ids.map((id, index) => `${id}@127.0.0.1:${controllerPorts[index]}`).join(',')
  const clusterId = readClusterId(dataDir) ?? randomBytes(16).toString('base64url')
  const brokers = ids.map((id, index): KafkaBroker => {
    const nodeDir = join(dataDir, `node-${id}`)
    const port = ports[index] as number
    const controllerPort = controllerPorts[index] as number
    formatFromTemplate(installed.template, nodeDir, id, clusterId)
    const properties = join(dataDir, `node-${id}.properties`)
    writeFileSync(
      properties,
      toProperties({ ...serverSettings({ id, port, controllerPort, voters, nodeDir, count }), ...options.settings }),
    )
    const name = count === 1 ? 'kafka' : `kafka-${id}`
    const broker = manageProcess({
      name,
      command: java.command,
      args: [
        count === 1 ? '-Xmx256m' : '-Xmx160m',
        '-XX:+UseSerialGC',
        ...(options.optimise ? [] : ['-XX:TieredStopAtLevel=1']),
        `-XX:SharedArchiveFile=${installed.archive}`,
        '-Xlog:cds=off',
        '-Xshare:auto',
        `-Dlog4j2.configurationFile=${join(assets, 'log4j2.properties')}`,
        '-cp',
        installed.classPath,
        'kafka.Kafka',
        properties,
      ],
      marker: properties,
      pidDir: dataDir,
      logFile: join(dataDir, `${name}.log`),
      ports: [
        { port, variable: 'ROLLCALL_KAFKA_PORT' },
        { port: controllerPort, variable: 'ROLLCALL_KAFKA_CONTROLLER_PORT' },
      ],
      isReady: async () => (await countBrokers(port)) > 0,
    })
    return Object.assign(broker, { id, port })
  })
  const stop = async () => {
    await Promise.all(brokers.map((broker) => broker.stop()))
  }
  try {
    await Promise.all(brokers.map((broker) => broker.start()))
    await allKnowAll(brokers)
  } catch (error) {
    await stop()
    throw error
  }
  return { bootstrapServers: brokers.map(({ port }) => `127.0.0.1:${port}`).join(','), brokers, stop }
}

interface InstalledKafka {
  readonly classPath: string
  readonly archive: string
  /** A formatted data directory: copying it takes milliseconds, the format tool 0.65 s. */
  readonly template: string
}

/** Jars, class archive and formatted template in the user's cache; seconds the first time, nothing afterwards. */
export async function installKafka(java: Java): Promise<InstalledKafka> {
  const { classPath, key } = await mavenClassPath('kafka', join(assets, 'pom.xml'))
  const prepared = await cachedDirectory(
    `kafka-${key}-${cacheKey(java.version, classPath, ARCHIVE_RECIPE)}`,
    (directory) => prepare(java, classPath, directory),
  )
  return { classPath, archive: join(prepared, 'kafka.jsa'), template: join(prepared, 'template') }
}

const ARCHIVE_RECIPE = '1'

// Formats a data directory, keeps a copy, and runs a broker once so that Java writes down the classes it loaded:
// first acknowledged record after 1.0 s instead of 2.0, 170 MB instead of 213.
async function prepare(java: Java, classPath: string, directory: string): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'rollcall-kafka-'))
  try {
    const nodeDir = join(work, 'node-1')
    const properties = join(work, 'server.properties')
    const [port, controllerPort] = (await freePorts(2)) as [number, number]
    const voters = `1@127.0.0.1:${controllerPort}`
    writeFileSync(properties, toProperties(serverSettings({ id: 1, port, controllerPort, voters, nodeDir, count: 1 })))
    const flags = [
      '-XX:+UseSerialGC',
      `-Dlog4j2.configurationFile=${join(assets, 'log4j2.properties')}`,
      '-cp',
      classPath,
    ]
    const format = ['kafka.tools.StorageTool', 'format', '-t', randomBytes(16).toString('base64url'), '-c', properties]
    await run(java.command, ['-Xmx64m', '-XX:TieredStopAtLevel=1', ...flags, ...format])
    cpSync(nodeDir, join(directory, 'template'), { recursive: true })
    const broker = manageProcess({
      name: 'kafka-training',
      command: java.command,
      args: [
        '-Xmx256m',
        `-XX:ArchiveClassesAtExit=${join(directory, 'kafka.jsa')}`,
        '-Xlog:cds=off',
        ...flags,
        'kafka.Kafka',
        properties,
      ],
      marker: properties,
      pidDir: work,
      logFile: join(work, 'kafka.log'),
      ports: [],
      isReady: async () => (await countBrokers(port)) > 0,
    })
    await broker.start()
    await broker.kill('SIGTERM') // not stop(): writing the archive may take longer than its patience
    if (!existsSync(join(directory, 'kafka.jsa')))
      writeFileSync(join(directory, 'no-archive'), 'This Java wrote none.\n')
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

function formatFromTemplate(template: string, nodeDir: string, id: number, clusterId: string): void {
  if (existsSync(join(nodeDir, 'meta.properties'))) return
  const half = `${nodeDir}.new`
  rmSync(half, { recursive: true, force: true })
  cpSync(template, half, { recursive: true })
  const meta = {
    version: '1',
    'cluster.id': clusterId,
    'node.id': String(id),
    'directory.id': randomBytes(16).toString('base64url'),
  }
  writeFileSync(join(half, 'meta.properties'), toProperties(meta))
  renameSync(half, nodeDir)
}

function readClusterId(dataDir: string): string | undefined {
  mkdirSync(dataDir, { recursive: true })
  for (const entry of readdirSync(dataDir)) {
    const meta = join(dataDir, entry, 'meta.properties')
    if (existsSync(meta)) return /^cluster\.id=(.+)$/m.exec(readFileSync(meta, 'utf8'))?.[1]
  }
  return undefined
}

interface NodePlace {
  readonly id: number
  readonly port: number
  readonly controllerPort: number
  readonly voters: string
  readonly nodeDir: string
  readonly count: number
}

function serverSettings({ id, port, controllerPort, voters, nodeDir, count }: NodePlace): Record<string, string> {
  const replication = String(count)
  const minimumInSync = count === 1 ? '1' : '2'
  return {
    'process.roles': 'broker,controller',
    'node.id': String(id),
    'controller.quorum.voters': voters,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': nodeDir,
    'auto.create.topics.enable': 'false',
    'num.partitions': '1',
    'default.replication.factor': replication,
    'min.insync.replicas': minimumInSync,
    'offsets.topic.replication.factor': replication,
    'offsets.topic.num.partitions': '1',
    'transaction.state.log.replication.factor': replication,
    'transaction.state.log.min.isr': minimumInSync,
    'transaction.state.log.num.partitions': '1',
    'share.coordinator.state.topic.replication.factor': replication,
    'share.coordinator.state.topic.min.isr': minimumInSync,
    'share.coordinator.state.topic.num.partitions': '1',
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
    'group.consumer.min.session.timeout.ms': '1000',
    'group.consumer.min.heartbeat.interval.ms': '300',
    // The controller keeps a killed broker's registration until its session ends: 12.8 s to restart with the default 9 s.
    'broker.heartbeat.interval.ms': '200',
    'broker.session.timeout.ms': '1000',
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500',
    'log.initial.task.delay.ms': '200',
    'log.retention.check.interval.ms': '500',
    'log.segment.delete.delay.ms': '500',
    'log.cleaner.backoff.ms': '250',
    'log.cleaner.threads': '1',
    'log.cleaner.dedupe.buffer.size': '4194304',
    'log.cleaner.io.buffer.size': '262144',
    'num.network.threads': '2',
    'num.io.threads': '4',
    'background.threads': '2',
    ...(count === 1 ? {} : FAST_FAILOVER),
  }
}

// Longest gap between acknowledgements after a killed leader: 11.5 s with Kafka's defaults, about 2 s with these.
const FAST_FAILOVER = {
  'controller.quorum.fetch.timeout.ms': '600',
  'controller.quorum.election.timeout.ms': '400',
  'controller.quorum.election.backoff.max.ms': '200',
  'controller.quorum.request.timeout.ms': '500',
  'replica.lag.time.max.ms': '2000',
  'replica.fetch.wait.max.ms': '100',
}

async function allKnowAll(brokers: readonly KafkaBroker[]): Promise<void> {
  const deadline = Date.now() + 60_000
  for (const { port, name } of brokers) {
    while ((await countBrokers(port)) < brokers.length) {
      if (Date.now() > deadline) throw new Error(`${name} does not know all ${brokers.length} brokers after 60 s.`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

const freePorts = (count: number) => Promise.all(Array.from({ length: count }, findFreePort))

const toProperties = (settings: Readonly<Record<string, string>>) =>
  `${Object.entries(settings)
    .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\')}`)
    .join('\n')}\n`
