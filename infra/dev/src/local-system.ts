import { execFile } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Endpoints, writeEndpoints } from './endpoints.js'
import { ensureDatabases } from './ensure-databases.js'
import type { ManagedProcess } from './managed-process.js'
import { openStack } from './open-stack.js'
import { sweepPidFiles } from './pid-file.js'
import { findFreePort } from './ports.js'
import { allowPassage } from './reachable-place.js'
import { SERVICES, type ServiceDefinition, serviceProcess } from './services.js'
import type { Stack } from './stack.js'
import type { StackConfig } from './stack-config.js'
import { ProcessNotStartedError } from './stack-errors.js'
import { lockStack } from './stack-lock.js'
import { supervise } from './supervise.js'

export interface LocalSystemOptions {
  /** Root of the repository. */
  readonly root: string
  /** State of the system: data, logs, endpoints.json. */
  readonly stateDir: string
  readonly config: StackConfig
  /** Throws the data away first. @default false */
  readonly fresh?: boolean
  /** Runs and shows one step of the start. */
  readonly step: <T>(title: string, work: () => Promise<T>) => Promise<T>
  /** One line about something that happened: a part got ready, a process died and came back. */
  readonly report: (line: string) => void
}

export interface LocalSystem {
  readonly endpoints: Endpoints
  readonly endpointsPath: string
  /** Name and address of everything a person may open. */
  readonly places: readonly { readonly title: string; readonly address: string }[]
  /** Services first, then Kafka and the schema registry, Postgres last. */
  stop(): Promise<void>
}

const READY_TIMEOUT_MS = 60_000

/**
 * The whole of Rollcall on this machine: the stack, its topics and databases, and the services, kept alive until `stop`.
 *
 * @throws StackLockedError when it runs already; PortTakenError, ToolMissingError, ProcessNotStartedError, StackUnreachableError
 */
export async function startLocalSystem(options: LocalSystemOptions): Promise<LocalSystem> {
  const { root, stateDir, config, fresh = false, step, report } = options
  const dataDir = join(stateDir, 'data')
  const logDir = join(stateDir, 'logs')
  const pidDir = join(stateDir, 'pids')
  const endpointsPath = join(stateDir, 'endpoints.json')
  const unlock = lockStack(stateDir)
  allowPassage(stateDir)
  let stack: Stack | undefined
  const supervisors: { stop(): void }[] = []
  const services: ManagedProcess[] = []
  const stop = async () => {
    for (const supervisor of supervisors) supervisor.stop()
    rmSync(endpointsPath, { force: true })
    await Promise.all(services.map((one) => one.stop()))
    await stack?.stop()
    unlock()
  }
  try {
    rmSync(endpointsPath, { force: true }) // of a start that was killed: it would send scripts to nobody
    const left = await sweepPidFiles(pidDir)
    if (left.length > 0) report(`ended what an earlier, killed start had left: ${left.join(', ')}`)
    if (fresh) await step('throw the data away', () => throwAway(dataDir, stateDir))
    const running = await step('start Postgres, Kafka and the schema registry', () =>
      openStack({
        config,
        dataDir,
        onReady: ({ name, tookMs }) => report(`${name} ready after ${(tookMs / 1000).toFixed(1)} s`),
        onSwept: (names) => report(`ended what an earlier, killed start had left: ${names.join(', ')}`),
      }),
    )
    stack = running
    const base = running.endpoints()
    await step('create databases, check topics', () => Promise.all([ensureDatabases(base), applyTopics(root, base)]))

    const urls: Partial<Record<ServiceDefinition['name'], string>> = {}
    const built = SERVICES.filter(({ main }) => existsSync(join(root, main)))
    for (const service of built) {
      const port = config.ports[service.name] || (await findFreePort())
      urls[service.name] = `http://127.0.0.1:${port}`
      const env: Record<string, string> =
        service.name === 'directory' && urls.registry !== undefined ? { REGISTRY_URL: urls.registry } : {}
      services.push(serviceProcess(service, { root, logDir, pidDir, endpoints: base, port, env }))
    }
    const processes = [...running.processes, ...services]
    const current = (): Endpoints => ({
      ...running.endpoints(),
      ...urls,
      processes: processes.flatMap(({ name, pid }) => (pid === undefined ? [] : [{ name, pid }])),
    })
    let isUp = false
    const write = () => writeEndpoints(endpointsPath, current())
    await step(`start ${built.map(({ name }) => name).join(', ')}`, async () => {
      const givenUp = new Map<ManagedProcess, string>()
      const keepAlive = (kept: readonly ManagedProcess[]) => {
        const onGivenUp = (one: ManagedProcess, why: string) => {
          givenUp.set(one, why)
          if (isUp) report(why)
        }
        supervisors.push(supervise(kept, { report, onChange: write, onGivenUp }))
      }
      // Each at once when it runs: one that ends while the others still start must not be missed.
      await settled(services.map((service) => service.start().then(() => keepAlive([service]))))
      keepAlive(running.processes)
      write()
      await settled(services.map((service) => ready(service, () => givenUp.get(service))))
      isUp = true
    })
    return {
      get endpoints() {
        return current()
      },
      endpointsPath,
      places: [
        ...built.flatMap(({ name, pages }) =>
          pages.map(({ title, path }) => ({ title, address: `${urls[name]}${path}` })),
        ),
        { title: 'Kafka', address: base.kafka },
        { title: 'schema registry', address: base.schemaRegistry },
        { title: 'Postgres', address: withoutPassword(base.postgres) },
      ],
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

// Every failure waits for the others' end: a start that goes on in the background could not be stopped.
async function settled(starts: readonly Promise<unknown>[]): Promise<void> {
  for (const start of await Promise.allSettled(starts)) if (start.status === 'rejected') throw start.reason
}

async function ready(service: ManagedProcess, whyGivenUp: () => string | undefined): Promise<void> {
  const { name, logFile } = service
  const deadline = Date.now() + READY_TIMEOUT_MS
  for (;;) {
    const missing = await service.whyNotReady()
    if (missing === undefined) return
    const lost = whyGivenUp()
    if (lost !== undefined) throw new ProcessNotStartedError(lost, { name, logFile })
    if (Date.now() > deadline) {
      const message = `${name} is not ready after ${READY_TIMEOUT_MS / 1000} s; see ${logFile}. It says: ${missing}`
      throw new ProcessNotStartedError(message, { name, logFile })
    }
    await sleep(50)
  }
}

async function throwAway(dataDir: string, stateDir: string): Promise<void> {
  // A stack that was killed may still write there.
  for (const part of ['postgres', 'kafka', 'schema-registry']) await sweepPidFiles(join(dataDir, part))
  rmSync(dataDir, { recursive: true, force: true })
  rmSync(join(stateDir, 'logs'), { recursive: true, force: true })
}

// Through the command line, not through libs/kafka: the stack stands below the product and imports none of it.
async function applyTopics(root: string, { kafka }: Endpoints): Promise<void> {
  const main = join(root, 'services/ops-cli/dist/main.js')
  if (!existsSync(main)) return
  await new Promise<void>((resolve, reject) => {
    const env = { ...process.env, KAFKA_BROKERS: kafka }
    execFile(
      process.execPath,
      [main, 'topics', 'apply'],
      { cwd: root, env, timeout: 60_000 },
      (error, stdout, stderr) => {
        if (!error) return resolve()
        const said = (stderr || stdout).trim() || error.message
        reject(
          new ProcessNotStartedError(`The topics could not be applied: ${said}`, {
            name: 'topics apply',
            logFile: main,
          }),
        )
      },
    )
  })
}

function withoutPassword(address: string): string {
  const url = new URL(address)
  url.password = ''
  return url.href
}
