import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Endpoints, type ManagedProcess, startEmbeddedStack, supervise, writeEndpoints } from '@rollcall/dev'
import { createKafka, parseTopicSpecs } from '@rollcall/kafka'
import { createMetrics } from '@rollcall/observability'
import { silentLogger } from '@rollcall/observability/testing'
import { type Links, planLinks } from './links.js'
import { topicsFile } from './repository.js'
import { type ServiceProcess, serviceProcess } from './service-process.js'

/** Postgres, Kafka, the schema registry and the services in a folder of their own, for one test file or one drill. */
export interface OwnStack {
  readonly directory: string
  /** Kept current while `supervised`. */
  readonly endpointsPath: string
  readonly endpoints: Endpoints
  readonly services: Readonly<Record<ProductService, ServiceProcess>>
  /** Every child process, by its name. */
  process(name: string): ManagedProcess
  /** The proxies, when it was asked for them. */
  readonly links: Links | undefined
  /** The addresses to tell another process of this kind, and what else it needs. */
  addressesFor(consumer: 'registry' | 'relay' | 'consumers'): Endpoints
  stop(): Promise<void>
}

export interface OwnStackOptions {
  /** Starts again whatever dies. @default false */
  readonly supervised?: boolean
  /** @default true */
  readonly fsync?: boolean
  /** Environment for all services. */
  readonly env?: Readonly<Record<string, string>>
  /** A proxy between each process and what it needs. @default false */
  readonly linked?: boolean
  /** More environment for one process, by its name. */
  readonly envOf?: (name: string) => Readonly<Record<string, string>>
  /** Services to start at once; the others are prepared. @default all */
  readonly start?: readonly ProductService[]
  readonly report?: (line: string) => void
}

const ALL = ['registry', 'relay', 'directory'] as const
type ProductService = (typeof ALL)[number]

export async function startOwnStack(options: OwnStackOptions = {}): Promise<OwnStack> {
  const { supervised = false, fsync = true, env = {}, envOf = () => ({}), start = ALL, report = () => {} } = options
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-e2e-'))
  const plan = options.linked ? await planLinks() : undefined
  const stack = await startEmbeddedStack({
    dataDir: directory,
    fsync,
    ...(plan
      ? { ports: { ...plan.ports, schemaRegistry: plan.schemaRegistry }, kafkaSettings: plan.kafkaSettings }
      : {}),
    onReady: ({ name, tookMs }) => report(`${name} is ready after ${tookMs} ms`),
  })
  const endpointsPath = join(directory, 'endpoints.json')
  const started: ManagedProcess[] = []
  let supervisor: { stop(): void } | undefined
  const stop = async () => {
    supervisor?.stop()
    await Promise.all(started.map((one) => one.stop()))
    await stack.stop()
    await plan?.close()
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    const base = stack.endpoints()
    await applyTopics(base.kafka)
    const addressesFor: OwnStack['addressesFor'] = (consumer) => plan?.endpointsFor(consumer, base) ?? base
    const prepare = (service: ProductService, more: Readonly<Record<string, string>> = {}) =>
      serviceProcess({
        service,
        endpoints: addressesFor(service === 'directory' ? 'consumers' : service),
        directory: join(directory, 'services'),
        env: { ...more, ...env, ...envOf(service) },
        ...(plan && service === 'registry' ? { port: plan.registry } : {}),
      })
    const registry = await prepare('registry')
    const services: OwnStack['services'] = {
      registry,
      relay: await prepare('relay'),
      directory: await prepare('directory', { REGISTRY_URL: registry.url }),
    }
    const prepared = Object.values(services)
    started.push(...prepared)
    // All at once: each waits for what it needs.
    await Promise.all(
      ALL.filter((name) => start.includes(name)).map(async (name) => {
        const startedAt = Date.now()
        await services[name].start()
        report(`${name} is ready after ${Date.now() - startedAt} ms`)
      }),
    )

    const processes = [...stack.processes, ...prepared]
    const current = (): Endpoints => ({
      ...stack.endpoints(),
      registry: services.registry.url,
      relay: services.relay.url,
      directory: services.directory.url,
      processes: processes.flatMap(({ name, pid }) => (pid === undefined ? [] : [{ name, pid }])),
    })
    const write = () => writeEndpoints(endpointsPath, current())
    write()
    if (supervised) supervisor = supervise(processes, { report, onChange: write })
    return {
      directory,
      endpointsPath,
      get endpoints() {
        return current()
      },
      services,
      links: plan?.links,
      addressesFor,
      process(name) {
        const found = processes.find((one) => one.name === name)
        if (!found)
          throw new RangeError(`There is no process ${name}; there are ${processes.map((p) => p.name).join(', ')}.`)
        return found
      },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

async function applyTopics(brokers: string): Promise<void> {
  const kafka = createKafka(
    { KAFKA_BROKERS: brokers.split(',') },
    { logger: silentLogger, metrics: createMetrics('e2e') },
  )
  try {
    await kafka.applyTopics(parseTopicSpecs(JSON.parse(readFileSync(topicsFile, 'utf8'))))
  } finally {
    await kafka.close()
  }
}
