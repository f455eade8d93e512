import { join } from 'node:path'
import type { Endpoints } from './endpoints.js'
import { type ManagedProcess, manageProcess } from './managed-process.js'

export type ServiceName = 'registry' | 'relay' | 'directory'

export interface ServiceDefinition {
  readonly name: ServiceName
  /** Compiled entry point, from the root of the repository. */
  readonly main: string
  readonly database: keyof Endpoints['databases']
  readonly portVariable: string
  /** What a person opens or asks there, under its base address. */
  readonly pages: readonly { readonly title: string; readonly path: string }[]
}

/** The processes that `npm start` runs on top of the stack. */
export const SERVICES: readonly ServiceDefinition[] = [
  {
    name: 'registry',
    main: 'services/user-registry/dist/main.js',
    database: 'userRegistry',
    portVariable: 'ROLLCALL_REGISTRY_PORT',
    pages: [
      { title: 'user registry', path: '' },
      { title: '  API page', path: '/docs' },
      { title: '  metrics', path: '/metrics' },
    ],
  },
  {
    name: 'relay',
    main: 'services/user-registry/dist/relay-main.js',
    database: 'userRegistry',
    portVariable: 'ROLLCALL_RELAY_PORT',
    pages: [
      { title: 'outbox relay', path: '/health/ready' },
      { title: '  metrics', path: '/metrics' },
    ],
  },
  {
    name: 'directory',
    main: 'services/directory/dist/main.js',
    database: 'directory',
    portVariable: 'ROLLCALL_DIRECTORY_PORT',
    pages: [
      { title: 'directory', path: '' },
      { title: '  API page', path: '/docs' },
      { title: '  metrics', path: '/metrics' },
    ],
  },
]

export interface ServicePlace {
  readonly root: string
  readonly logDir: string
  readonly pidDir: string
  readonly endpoints: Endpoints
  readonly port: number
  /** What only some services need. */
  readonly env?: Readonly<Record<string, string>>
}

/** A service as a child process; started means that it answers, not yet that it is ready. */
export function serviceProcess(service: ServiceDefinition, place: ServicePlace): ManagedProcess {
  const { root, logDir, pidDir, endpoints, port, env = {} } = place
  const main = join(root, service.main)
  const base = `http://127.0.0.1:${port}`
  return manageProcess({
    name: service.name,
    command: process.execPath,
    args: [main],
    cwd: root,
    env: {
      HOST: '127.0.0.1',
      PORT: String(port),
      DATABASE_URL: endpoints.databases[service.database],
      KAFKA_BROKERS: endpoints.kafka,
      SCHEMA_REGISTRY_URL: endpoints.schemaRegistry,
      ...env,
    },
    marker: main,
    pidDir,
    logFile: join(logDir, `${service.name}.log`),
    ports: [{ port, variable: service.portVariable }],
    isReady: () => answersOk(`${base}/health/live`),
    whyNotReady: () => whyNotReady(base),
  })
}

async function whyNotReady(base: string): Promise<string | undefined> {
  try {
    const answer = await fetch(`${base}/health/ready`, { signal: AbortSignal.timeout(5_000) })
    const text = await answer.text()
    return answer.ok ? undefined : text.slice(0, 500)
  } catch (error) {
    return (error as Error).message
  }
}

async function answersOk(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) })
    await answer.arrayBuffer()
    return answer.ok
  } catch {
    return false
  }
}
