import type { Logger, Metrics } from '@rollcall/observability'
import Fastify from 'fastify'
import { serializerCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import type { App } from './app.js'
import { addHealth } from './health.js'
import { acceptJsonBodies } from './json-body.js'
import { addOpenApi } from './openapi.js'
import { answerProblems } from './problem-answers.js'
import { addRequestContext } from './request-context.js'
import { validateByZod } from './validation-problems.js'

export interface AppOptions {
  readonly service: string
  readonly version: string
  readonly logger: Logger
  readonly metrics: Metrics
  /** HTTP status of each domain error code. A code that is not listed answers 500, or 503 when it is retryable. */
  readonly problems?: Readonly<Record<string, number>>
  /** What must work for the service to be ready; each rejects with the reason. */
  readonly readiness?: Readonly<Record<string, () => Promise<void>>>
  /** True for errors of a dependency that will pass, such as a database that restarts; they answer 503. */
  readonly isTransient?: (error: unknown) => boolean
  readonly openapi?: { readonly title: string; readonly description?: string }
  /** @default 1 MiB */
  readonly bodyLimitBytes?: number
  /** How long a client may take to send a whole request. @default 600000 */
  readonly requestTimeoutMs?: number
  /** Time limit of each readiness check. @default 2000 */
  readonly readinessTimeoutMs?: number
}

/**
 * Builds an application with what every service has: problem details (RFC 9457) for every error, a correlation id and
 * a span per request, one log line and one measurement per request, `/health/live`, `/health/ready`, `/metrics`, and,
 * where `openapi` is given, `/openapi.json` and the page `/docs`. It listens to nothing yet; see `serve`.
 */
export async function createApp(options: AppOptions): Promise<App> {
  const app: App = Fastify({
    bodyLimit: options.bodyLimitBytes ?? 1_048_576,
    requestTimeout: options.requestTimeoutMs ?? 600_000,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 200 },
  }).withTypeProvider<ZodTypeProvider>()
  app.setValidatorCompiler(validateByZod)
  app.setSerializerCompiler(serializerCompiler)
  acceptJsonBodies(app)
  addRequestContext(app, options)
  answerProblems(app, options)
  addHealth(app, options)
  endConnectionsWhenClosing(app)
  if (options.openapi !== undefined) await addOpenApi(app, options.openapi, options.version)
  return app
}

// Closing ends the connections that are idle at that moment; one that answers its last request later would be kept alive,
// and would keep the process, for more than a minute.
function endConnectionsWhenClosing(app: App): void {
  let closing = false
  app.addHook('preClose', (done) => {
    closing = true
    done()
  })
  app.addHook('onResponse', (_request, _reply, done) => {
    if (closing) setImmediate(() => app.server.closeIdleConnections())
    done()
  })
}
