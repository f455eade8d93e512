import { createPool } from '@rollcall/database'
import { userLifecycle } from '@rollcall/events'
import { createLogger, createMetrics } from '@rollcall/observability'
import { createWakeUp } from '@rollcall/outbox'
import { createRegistryApp, followSubscribers } from '@rollcall/user-registry'
import Fastify from 'fastify'
import { uuidv7 } from 'uuidv7'
import { benchKafka, readyCodec } from '../bench-tools.js'
import { answer } from '../child.js'

/** An HTTP server in a process of its own: the whole registry, or the least that could store the row. */
export type HttpServerCommands = {
  listen(options: HttpServerOptions): Promise<number>
  close(): Promise<void>
}

export interface HttpServerOptions {
  readonly kind: 'registry' | 'bare'
  readonly databaseUrl: string
  readonly schemaRegistry: string
  readonly connections: number
  /** Of a registry that listens to the roll call. */
  readonly kafka?: string
}

let close: () => Promise<void> = async () => {}

answer({
  async listen(options) {
    const { app, end } = options.kind === 'registry' ? await registry(options) : bare(options)
    await app.listen({ host: '127.0.0.1', port: 0 })
    close = async () => {
      await app.close()
      await end()
    }
    const address = app.server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  },
  close: () => close(),
} satisfies HttpServerCommands)

async function registry({ databaseUrl, schemaRegistry, connections, kafka: brokers }: HttpServerOptions) {
  // Log level and destination as in production; standard output leads nowhere here.
  const logger = createLogger({ service: 'user-registry' })
  const pool = createPool({ url: databaseUrl, max: connections, applicationName: 'user-registry' }, { logger })
  const wakeUp = createWakeUp({ url: databaseUrl, logger })
  const kafka = brokers === undefined ? undefined : benchKafka(brokers)
  const subscribers = kafka && followSubscribers({ kafka, logger, of: userLifecycle.name })
  subscribers?.start()
  const app = await createRegistryApp({
    pool,
    codec: await readyCodec(schemaRegistry),
    wakeUp,
    logger,
    metrics: createMetrics('user-registry'),
    ...(subscribers === undefined ? {} : { subscribers }),
  })
  const end = async () => {
    await subscribers?.close()
    await kafka?.close()
    await wakeUp.close()
    await pool.end()
  }
  return { app, end }
}

interface NewUser {
  readonly userName: string
  readonly emails: readonly { readonly value: string }[]
  readonly name: object
  readonly phone: string
  readonly locale: string
  readonly timezone: string
  readonly attributes: object
}

const INSERT = `INSERT INTO user_account (id, tenant_id, user_name, user_name_key, emails, name, phone, locale, timezone,
  attributes, status, version, created_at, updated_at) VALUES ($1, 'default', $2, $3, $4, $5, $6, $7, $8, $9, 'active', 1, $10, $10)`

function bare({ databaseUrl, connections }: HttpServerOptions) {
  const logger = createLogger({ service: 'bare' })
  const pool = createPool({ url: databaseUrl, max: connections, applicationName: 'bare' }, { logger })
  const app = Fastify()
  app.post<{ Body: NewUser }>('/v1/users', async ({ body }, reply) => {
    const id = uuidv7()
    const { userName, emails, name, phone, locale, timezone, attributes } = body
    const json = [JSON.stringify(emails), JSON.stringify(name)]
    const values = [id, userName, userName.toLowerCase(), ...json, phone, locale, timezone, JSON.stringify(attributes)]
    await pool.query({ name: 'bare_insert', text: INSERT, values: [...values, new Date().toISOString()] })
    return reply.code(201).send({ id, ...body })
  })
  return { app, end: () => pool.end() }
}
