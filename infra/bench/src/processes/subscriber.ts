import { createPool, prismaAdapter } from '@rollcall/database'
import { createDirectoryApp, PrismaClient, people } from '@rollcall/directory'
import { createLogger, createMetrics } from '@rollcall/observability'
import { pgStore, runProjections } from '@rollcall/projections'
import { benchKafka, benchTools, readyCodec } from '../bench-tools.js'
import { answer } from '../child.js'

/** A whole directory, by a name of its own, that announces itself on the roll call. */
export type SubscriberCommands = {
  start(options: SubscriberOptions): Promise<void>
  close(): Promise<void>
}

export interface SubscriberOptions {
  readonly service: string
  readonly databaseUrl: string
  readonly kafka: string
  readonly schemaRegistry: string
}

let close = async () => {}

answer({
  async start({ service, databaseUrl, kafka: brokers, schemaRegistry }) {
    const pool = createPool({ url: databaseUrl, max: 8, applicationName: service }, benchTools())
    const prisma = new PrismaClient({ adapter: prismaAdapter(pool) })
    const kafka = benchKafka(brokers)
    let address: string | undefined
    const projections = runProjections([people], {
      kafka,
      database: pgStore(pool),
      codec: await readyCodec(schemaRegistry),
      ...benchTools(),
      groupId: service,
      announce: { service, url: () => address },
    })
    // Log level and destination as in production; standard output leads nowhere here.
    const tools = { logger: createLogger({ service }), metrics: createMetrics(service) }
    const app = await createDirectoryApp({ prisma, projections, ...tools })
    address = await app.listen({ host: '127.0.0.1', port: 0 })
    await projections.start()
    close = async () => {
      await Promise.all([projections.close(), app.close()])
      await kafka.close()
      await prisma.$disconnect()
      await pool.end()
    }
  },
  close: () => close(),
} satisfies SubscriberCommands)
