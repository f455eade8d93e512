import type { Logger, Metrics } from '@rollcall/observability'
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type RawReplyDefaultExpression,
  type RawRequestDefaultExpression,
  type RawServerDefault,
} from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'

/** A Fastify application whose routes are typed by their zod schemas. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>

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

export async function createApp(options: AppOptions): Promise<App> {
  return Fastify({ bodyLimit: options.bodyLimitBytes ?? 1_048_576 }).withTypeProvider<ZodTypeProvider>()
}
