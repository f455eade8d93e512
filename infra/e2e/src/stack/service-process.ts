import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Endpoints, findFreePort, type ManagedProcess, manageProcess } from '@rollcall/dev'
import { entryPoints } from './repository.js'

export type ServiceName = 'registry' | 'relay' | 'directory' | 'counter'

/** One service as a child process on a free port. */
export interface ServiceProcess extends ManagedProcess {
  readonly url: string
}

export interface ServiceProcessOptions {
  readonly service: ServiceName
  /** Told from others of the same service; also the name of its log file. @default the service's name */
  readonly name?: string
  readonly endpoints: Pick<Endpoints, 'kafka' | 'schemaRegistry' | 'databases'>
  /** @default the service's own among the endpoints; a counter has none there */
  readonly database?: string
  /** @default a free one */
  readonly port?: number
  /** Where its log and its pid are kept. */
  readonly directory: string
  readonly env?: Readonly<Record<string, string>>
  /** False when it is to be started while something it needs is down. @default true */
  readonly waitUntilReady?: boolean
}

/** Prepares a service to be started, killed and started again; its port stays the same. */
export async function serviceProcess(options: ServiceProcessOptions): Promise<ServiceProcess> {
  const { service, name = service, endpoints, directory, env = {}, waitUntilReady = true } = options
  const { userRegistry, directory: people } = endpoints.databases
  const database = options.database ?? (service === 'directory' ? people : userRegistry)
  const port = options.port ?? (await findFreePort())
  const url = `http://127.0.0.1:${port}`
  const marker = `--process=${join(directory, name)}`
  mkdirSync(directory, { recursive: true })
  const managed = manageProcess({
    name,
    command: process.execPath,
    // The last argument is only there to tell this process from every other one in the list of processes.
    args: ['--enable-source-maps', entryPoints[service], marker],
    marker,
    env: {
      NODE_OPTIONS: '',
      HOST: '127.0.0.1',
      PORT: String(port),
      DATABASE_URL: database,
      KAFKA_BROKERS: endpoints.kafka,
      SCHEMA_REGISTRY_URL: endpoints.schemaRegistry,
      LOG_LEVEL: 'info',
      ...env,
    },
    pidDir: directory,
    logFile: join(directory, `${name}.log`),
    ports: [{ port, variable: 'PORT' }],
    isReady: () => answers(`${url}/health/${waitUntilReady ? 'ready' : 'live'}`),
  })
  return Object.defineProperty(managed as ServiceProcess, 'url', { value: url, enumerable: true })
}

/** True when a GET is answered with a 2xx within a second. */
export async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1000) })
    await response.arrayBuffer()
    return response.ok
  } catch {
    return false
  }
}
