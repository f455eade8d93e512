import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPool, type Pool } from '@rollcall/database'
import { databaseUrl, type Endpoints, readEndpoints, supervise } from '@rollcall/dev'
import { userLifecycle } from '@rollcall/events'
import { createKafka, type KafkaClient } from '@rollcall/kafka'
import { createLogger, createMetrics, type Logger } from '@rollcall/observability'
import { checkHistory, type Verdict } from '../checker/check-history.js'
import type { JournalEntry } from '../checker/history.js'
import { type LoadHistoryOptions, loadHistory } from '../checker/load-history.js'
import { StackMissingError } from '../e2e-errors.js'
import { type OwnStack, startOwnStack } from '../stack/own-stack.js'
import { answers, type ServiceProcess, serviceProcess } from '../stack/service-process.js'
import { type Echo, startEcho } from './echo.js'
import { quiet } from './quiet.js'
import { supervisedVictim, type Victim, type VictimName } from './victims.js'

/** A running stack with effect counters beside it: where a drill, or the chaos suite, takes place. */
export interface Scene {
  /** For files of the drill; gone afterwards. */
  readonly directory: string
  readonly endpointsPath: string
  readonly endpoints: Endpoints
  /** The stack, when it is one of our own. */
  readonly own: OwnStack | undefined
  readonly counters: readonly ServiceProcess[]
  readonly databases: { readonly registry: Pool; readonly directory: Pool; readonly counters: readonly Pool[] }
  readonly kafka: KafkaClient
  victim(name: VictimName): Victim
  /** One more process of the directory (and of the first counter), prepared, not supervised. */
  secondConsumers(): Promise<readonly ServiceProcess[]>
  /** Begins to send records of the topic once more. */
  echo(): Echo
  /** Resolves when every consumer has applied every change; milliseconds it took. */
  quiet(timeoutMs: number, stallMs?: number): Promise<number>
  /** @param injected records a fault put on the topic itself, as `partition/offset` */
  check(journal: readonly JournalEntry[], injected?: ReadonlySet<string>): Promise<Verdict>
  close(): Promise<void>
}

export interface SceneOptions {
  /** Of a running, supervised stack; undefined starts one that is thrown away on `close`. */
  readonly endpointsPath?: string | undefined
  /** Starts again whatever dies; false for who kills and starts by hand. @default true */
  readonly supervised?: boolean
  /** Each with a database and a consumer group of its own. @default 1 */
  readonly counters?: number
  /** Proxies between the processes of an own stack. @default false */
  readonly linked?: boolean
  /** More environment for one process of an own stack, by its name. */
  readonly envOf?: (name: string) => Readonly<Record<string, string>>
  readonly report: (line: string) => void
}

const BACK_WITHIN_MS = 90_000

export async function openScene(options: SceneOptions): Promise<Scene> {
  const { endpointsPath, supervised = true, linked = false, envOf = () => ({}), report } = options
  const logger = createLogger({ service: 'drill', level: 'silent' })
  const own = endpointsPath === undefined ? await startOwnStack({ supervised, linked, envOf, report }) : undefined
  const path = own?.endpointsPath ?? (endpointsPath as string)
  const endpoints = () => own?.endpoints ?? readStack(path)
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-drill-'))
  const addresses = own?.addressesFor('consumers') ?? endpoints()
  const registryUrl = endpoints().registry
  const stamp = Date.now()
  const counterNames = Array.from({ length: options.counters ?? 1 }, (_, at) => `counter-${at + 1}`)
  const databaseOf = (name: string) => `effect_${name.replace('-', '_')}_${stamp}`
  // As it really is, for our own eyes; consumers go through their proxy.
  const counterDatabases = new Map(
    counterNames.map((name) => [name, databaseUrl(endpoints().postgres, databaseOf(name))]),
  )
  const prepare = (service: 'counter' | 'directory', name: string, of = name) =>
    serviceProcess({
      service,
      name,
      endpoints: addresses,
      directory,
      env: {
        ...envOf(name),
        ...(service === 'counter' ? { GROUP_ID: of } : {}),
        ...(linked && registryUrl ? { REGISTRY_URL: registryUrl } : {}),
      },
      ...(service === 'counter' ? { database: databaseUrl(addresses.postgres, databaseOf(of)) } : {}),
    })

  const counters = await Promise.all(counterNames.map((name) => prepare('counter', name)))
  await Promise.all(counters.map((counter) => counter.start()))
  const supervisor = supervised ? supervise(counters, { report, onChange: () => {} }) : undefined
  const open = (url: string) => createPool({ url, max: 3, applicationName: 'drill' }, { logger })
  const pools = {
    registry: open(endpoints().databases.userRegistry),
    directory: open(endpoints().databases.directory),
    counters: [...counterDatabases.values()].map(open),
  }
  const kafka = createKafka(
    { KAFKA_BROKERS: endpoints().kafka.split(',') },
    { logger, metrics: createMetrics('drill') },
  )
  const partitions = (await kafka.offsets(userLifecycle.name)).length
  const others: ServiceProcess[] = []

  return {
    directory,
    endpointsPath: path,
    get endpoints() {
      return endpoints()
    },
    own,
    counters,
    databases: pools,
    kafka,
    victim(name) {
      const isReady = readiness(name, { endpoints, kafka, registry: pools.registry })
      const one = supervisedVictim(name, { endpointsPath: path, isReady, timeoutMs: BACK_WITHIN_MS })
      return name === 'directory' ? together(one, counters) : one
    },
    async secondConsumers() {
      const number = others.length / 2 + 2
      const made = await Promise.all([
        prepare('directory', `directory-${number}`),
        prepare('counter', `counter-1-${number}`, 'counter-1'),
      ])
      others.push(...made)
      return made
    },
    echo: () => startEcho({ kafka: endpoints().kafka, ...pools, topic: userLifecycle.name, partitions, logger }),
    quiet: (timeoutMs, stallMs) =>
      quiet({
        registry: pools.registry,
        consumers: [
          { pool: pools.directory, projection: 'people' },
          ...pools.counters.map((pool) => ({ pool, projection: 'effect-counter' })),
        ],
        timeoutMs,
        ...(stallMs === undefined ? {} : { stallMs }),
      }),
    check: (journal, injected = new Set()) => checkStack(endpoints(), { counterDatabases, journal, injected, logger }),
    async close() {
      supervisor?.stop()
      await Promise.all([...counters, ...others].map((one) => one.stop()))
      await kafka.close()
      await Promise.all([pools.registry, pools.directory, ...pools.counters].map((pool) => pool.end()))
      await own?.stop()
      if (!own) {
        for (const url of counterDatabases.values()) await dropDatabase(endpoints().postgres, url, logger)
      }
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Loads a running stack as a history and checks it. */
export async function checkStack(
  endpoints: Endpoints,
  options: Omit<LoadHistoryOptions, 'endpoints'>,
): Promise<Verdict> {
  const { history, close } = await loadHistory({ endpoints, ...options })
  try {
    return await checkHistory(history)
  } finally {
    await close()
  }
}

function readStack(path: string): Endpoints {
  try {
    return readEndpoints(path)
  } catch (error) {
    throw new StackMissingError(path, error)
  }
}

function readiness(
  name: VictimName,
  { endpoints, kafka, registry }: { endpoints: () => Endpoints; kafka: KafkaClient; registry: Pool },
): () => Promise<boolean> {
  switch (name) {
    case 'kafka':
      return () => kafka.ping().then(() => true)
    case 'postgres':
      return () => registry.query('SELECT 1').then(() => true)
    default:
      return () => answers(`${endpoints()[name]}/health/ready`)
  }
}

/** The counters die with the directory: both run on the library whose exactly-once is in question. */
function together(victim: Victim, counters: readonly ServiceProcess[]): Victim {
  return {
    name: victim.name,
    async kill() {
      for (const counter of counters) counter.signal('SIGKILL')
      await victim.kill()
    },
    back: () => victim.back(),
  }
}

async function dropDatabase(postgres: string, url: string, logger: Logger): Promise<void> {
  const pool = createPool({ url: postgres, max: 1, applicationName: 'drill' }, { logger })
  await pool.query(`DROP DATABASE IF EXISTS ${new URL(url).pathname.slice(1)} WITH (FORCE)`)
  await pool.end()
}
