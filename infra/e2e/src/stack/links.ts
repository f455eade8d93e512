import { type Endpoints, findFreePort } from '@rollcall/dev'
import { openProxy, type TcpProxy } from './proxy.js'

export const linkNames = [
  'registry-postgres',
  'registry-schemas',
  'relay-postgres',
  'relay-kafka',
  'consumers-postgres',
  'consumers-kafka',
  'consumers-schemas',
  'clients-registry',
] as const
export type LinkName = (typeof linkNames)[number]

/** One proxy for each way from a client to what it needs. */
export type Links = Readonly<Record<LinkName, TcpProxy>>

/** Ports and broker settings of a stack whose clients can be kept apart from it. */
export interface LinkPlan {
  readonly ports: { readonly postgres: number; readonly kafka: number; readonly kafkaController: number }
  readonly schemaRegistry: number
  readonly registry: number
  readonly kafkaSettings: Readonly<Record<string, string>>
  readonly links: Links
  /** What a process is told instead of the stack's own addresses. */
  endpointsFor(consumer: 'registry' | 'relay' | 'consumers', endpoints: Endpoints): Endpoints
  close(): Promise<void>
}

/** Opens the proxies. A broker tells its clients where to find it, so it has a listener of its own for each side. */
export async function planLinks(): Promise<LinkPlan> {
  const [postgres, kafka, kafkaController, forRelay, forConsumers, schemaRegistry, registry] = await freePorts(7)
  const targets: Record<LinkName, number> = {
    'registry-postgres': postgres,
    'registry-schemas': schemaRegistry,
    'relay-postgres': postgres,
    'relay-kafka': forRelay,
    'consumers-postgres': postgres,
    'consumers-kafka': forConsumers,
    'consumers-schemas': schemaRegistry,
    'clients-registry': registry,
  }
  const opened = await Promise.all(
    linkNames.map(async (name) => [name, await openProxy({ target: targets[name] })] as const),
  )
  const links = Object.fromEntries(opened) as Links
  const at = (port: number) => `127.0.0.1:${port}`
  return {
    ports: { postgres, kafka, kafkaController },
    schemaRegistry,
    registry,
    kafkaSettings: {
      listeners: `PLAINTEXT://${at(kafka)},CONTROLLER://${at(kafkaController)},RELAY://${at(forRelay)},CONSUMERS://${at(forConsumers)}`,
      'advertised.listeners': `PLAINTEXT://${at(kafka)},RELAY://${at(links['relay-kafka'].port)},CONSUMERS://${at(links['consumers-kafka'].port)}`,
      'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,RELAY:PLAINTEXT,CONSUMERS:PLAINTEXT',
    },
    links,
    endpointsFor(consumer, endpoints) {
      const through = (url: string, link: LinkName) => {
        const moved = new URL(url)
        moved.port = String(links[link].port)
        return moved.href
      }
      const databases = (link: LinkName) => ({
        userRegistry: through(endpoints.databases.userRegistry, link),
        directory: through(endpoints.databases.directory, link),
      })
      const side = { ...endpoints, postgres: through(endpoints.postgres, `${consumer}-postgres`) }
      return {
        ...side,
        databases: databases(`${consumer}-postgres`),
        // The registry needs Kafka for the roll call only.
        kafka: at(links[consumer === 'relay' ? 'relay-kafka' : 'consumers-kafka'].port),
        schemaRegistry: through(
          endpoints.schemaRegistry,
          consumer === 'registry' ? 'registry-schemas' : 'consumers-schemas',
        ),
      }
    },
    async close() {
      await Promise.all(opened.map(([, proxy]) => proxy.close()))
    },
  }
}

async function freePorts(count: 7): Promise<[number, number, number, number, number, number, number]> {
  const found = new Set<number>()
  while (found.size < count) found.add(await findFreePort())
  return [...found] as [number, number, number, number, number, number, number]
}
