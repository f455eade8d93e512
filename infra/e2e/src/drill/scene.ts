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
import { loadHistory } from '../checker/load-history.js'
import { StackMissingError } from '../e2e-errors.js'
import { startOwnStack } from '../stack/own-stack.js'
import { answers, type ServiceProcess, serviceProcess } from '../stack/service-process.js'
import { type Echo, startEcho } from './echo.js'
import { quiet } from './quiet.js'
import { supervisedVictim, type Victim, type VictimName } from './victims.js'

/** A running, supervised stack with an effect counter beside it: where a drill takes place. */
export interface Scene {
  /** For files of the drill; gone afterwards. */
  readonly directory: string
  readonly endpointsPath: string
  readonly endpoints: Endpoints
  readonly databases: { readonly registry: Pool; readonly directory: Pool; readonly counter: Pool }
  victim(name: VictimName): Victim
  /** One more process of the directory (and of the counter), prepared, not supervised. */
  secondConsumers(): Promise<readonly ServiceProcess[]>
  /** Begins to send records of the topic once more. */
  echo(): Echo
  /** Resolves when every consumer has applied every change; milliseconds it took. */
  quiet(timeoutMs: number): Promise<number>
  check(journal: readonly JournalEntry[]): Promise<Verdict>
  close(): Promise<void>
}

const BACK_WITHIN_MS = 90_000

/** @param endpointsPath of a running stack; undefined starts one that is thrown away on `close`. */
export async function openScene(endpointsPath: string | undefined, report: (line: string) => void): Promise<Scene> {
  const logger = createLogger({ service: 'drill', level: 'silent' })
  const own = endpointsPath === undefined ? await startOwnStack({ supervised: true, report }) : undefined
  const path = own?.endpointsPath ?? (endpointsPath as string)
  const endpoints = () => readStack(path)
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-drill-'))
  const counterDatabase = databaseUrl(endpoints().postgres, `effect_counter_${Date.now()}`)
  const prepare = (service: 'counter' | 'directory', name: string) =>
    serviceProcess({
      service,
      name,
      endpoints: endpoints(),
      directory,
      ...(service === 'counter' ? { database: counterDatabase } : {}),
    })

  const counter = await prepare('counter', 'counter')
  await counter.start()
  const supervisor = supervise([counter], { report, onChange: () => {} })
  const open = (url: string) => createPool({ url, max: 3, applicationName: 'drill' }, { logger })
  const pools = {
    registry: open(endpoints().databases.userRegistry),
    directory: open(endpoints().databases.directory),
    counter: open(counterDatabase),
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
    databases: pools,
    victim(name) {
      const isReady = readiness(name, { endpoints, kafka, registry: pools.registry })
      const one = supervisedVictim(name, { endpointsPath: path, isReady, timeoutMs: BACK_WITHIN_MS })
      return name === 'directory' ? together(one, counter) : one
    },
    async secondConsumers() {
      const number = others.length / 2 + 2
      const made = await Promise.all([
        prepare('directory', `directory-${number}`),
        prepare('counter', `counter-${number}`),
      ])
      others.push(...made)
      return made
    },
    echo: () => startEcho({ kafka: endpoints().kafka, ...pools, topic: userLifecycle.name, partitions, logger }),
    quiet: (timeoutMs) =>
      quiet({
        registry: pools.registry,
        consumers: [
          { pool: pools.directory, projection: 'people' },
          { pool: pools.counter, projection: 'effect-counter' },
        ],
        timeoutMs,
      }),
    check: (journal) => checkStack(endpoints(), { counterDatabase, journal, logger }),
    async close() {
      supervisor.stop()
      await Promise.all([counter, ...others].map((one) => one.stop()))
      await kafka.close()
      await Promise.all(Object.values(pools).map((pool) => pool.end()))
      await own?.stop()
      if (!own) await dropDatabase(endpoints().postgres, counterDatabase, logger)
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Loads a running stack as a history and checks it. */
export async function checkStack(
  endpoints: Endpoints,
  options: { counterDatabase?: string; journal?: readonly JournalEntry[]; logger: Logger },
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

/** The counter dies with the directory: both run on the library whose exactly-once is in question. */
function together(victim: Victim, counter: ServiceProcess): Victim {
  return {
    name: victim.name,
    async kill() {
      counter.signal('SIGKILL')
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
