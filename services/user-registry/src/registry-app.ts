import { isTransientDatabaseError, type Pool } from '@rollcall/database'
import { type EventCodec, SUBSCRIBERS_TOPIC, type UserLifecycleEvent } from '@rollcall/events'
import { type App, createApp } from '@rollcall/http'
import type { Logger, Metrics } from '@rollcall/observability'
import type { FastifyRequest } from 'fastify'
import { uuidv7 } from 'uuidv7'
import { addImportRoutes } from './import/import-routes.js'
import { LOCAL_PRINCIPAL, type Principal } from './principal.js'
import { PROBLEMS } from './problems.js'
import { appliedNews } from './propagation/applied-news.js'
import { addPropagationRoute } from './propagation/propagation-route.js'
import type { Subscribers } from './propagation/subscribers.js'
import { SubscribersUnknownError } from './propagation/subscribers-unknown-error.js'
import { userQuestions } from './propagation/user-questions.js'
import { createUserCommands } from './users/user-commands.js'
import { addUserRoutes } from './users/user-routes.js'
import { addVerificationRoutes } from './verification/verification-routes.js'
import { VERSION } from './version.js'

export interface RegistryAppOptions {
  readonly pool: Pool
  readonly codec: EventCodec<UserLifecycleEvent>
  /** Wakes the relay; poked after each commit. */
  readonly wakeUp: { poke(): void }
  /** Who follows the users' events. @default nobody knows */
  readonly subscribers?: Subscribers
  readonly logger: Logger
  readonly metrics: Metrics
  /** What must work before the service is ready. */
  readonly readiness?: Readonly<Record<string, () => Promise<void>>>
  /** @default 30 days */
  readonly gracePeriodMs?: number
  readonly now?: () => Date
  /** Ids of users and events; UUIDv7. */
  readonly newId?: () => string
  /** Who calls. @default everybody is the one local principal */
  readonly principalOf?: (request: FastifyRequest) => Principal
}

export const DEFAULT_GRACE_PERIOD_MS = 30 * 24 * 60 * 60 * 1_000

/** Builds the registry's HTTP application; it listens to nothing yet. */
export async function createRegistryApp(options: RegistryAppOptions): Promise<App> {
  const { pool, codec, wakeUp, logger, metrics } = options
  const { subscribers = UNKNOWN_SUBSCRIBERS } = options
  const { now = () => new Date(), newId = uuidv7, principalOf = () => LOCAL_PRINCIPAL } = options
  const app = await createApp({
    service: 'user-registry',
    version: VERSION,
    logger,
    metrics,
    problems: Object.fromEntries(Object.entries(PROBLEMS).map(([code, { status }]) => [code, status])),
    isTransient: isTransientDatabaseError,
    // An import may take as long as its sender needs.
    requestTimeoutMs: 3_600_000,
    ...(options.readiness === undefined ? {} : { readiness: options.readiness }),
    openapi: { title: 'Rollcall user registry', description: DESCRIPTION },
  })
  const committed = () => wakeUp.poke()
  const commands = createUserCommands({
    sql: pool,
    codec,
    committed,
    now,
    newId,
    gracePeriodMs: options.gracePeriodMs ?? DEFAULT_GRACE_PERIOD_MS,
  })
  const propagation = { subscribers, news: appliedNews(), ask: userQuestions() }
  app.addHook('onClose', async () => propagation.news.close())
  addUserRoutes(app, { sql: pool, codec, newId, commands, propagation, principalOf })
  addVerificationRoutes(app, { sql: pool })
  addPropagationRoute(app, { sql: pool, ...propagation, principalOf })
  addImportRoutes(app, { sql: pool, codec, committed, now, newId, metrics, principalOf })
  return app
}

const UNKNOWN_SUBSCRIBERS: Subscribers = {
  start() {},
  async close() {},
  known() {
    throw new SubscribersUnknownError(SUBSCRIBERS_TOPIC)
  },
}

const DESCRIPTION = `The one place where users are created and changed. Every change leaves as an event on \`users.lifecycle.v1\`.

A write answers with \`ETag\` and with \`Rollcall-Version: <userId>@<version>\`, which a read of another service can ask to
be at least as fresh as. Errors are problem details (RFC 9457) with a stable \`code\`.`
