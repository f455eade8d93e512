import { type Metrics, serializeError } from '@rollcall/observability'
import type { App } from './app.js'

export interface HealthOptions {
  readonly service: string
  readonly version: string
  readonly metrics: Metrics
  readonly readiness?: Readonly<Record<string, () => Promise<void>>>
  readonly readinessTimeoutMs?: number
}

/** Adds `/health/live` (the process answers), `/health/ready` (it does its work) and `/metrics` (Prometheus text). */
export function addHealth(
  app: App,
  { service, version, metrics, readiness = {}, readinessTimeoutMs = 2_000 }: HealthOptions,
): void {
  app.get('/health/live', { schema: { hide: true } }, async () => ({ status: 'live', service, version }))

  // Probes that overlap share one round of checks: a dependency that hangs must not be asked more and more.
  let round: Promise<(readonly [string, Outcome])[]> | undefined
  const checkAll = () => {
    round ??= Promise.all(
      Object.entries(readiness).map(async ([name, check]) => [name, await outcome(check, readinessTimeoutMs)] as const),
    ).finally(() => {
      round = undefined
    })
    return round
  }

  app.get('/health/ready', { schema: { hide: true } }, async (_request, reply) => {
    const entries = await checkAll()
    const ready = entries.every(([, { status }]) => status === 'ok')
    return reply
      .code(ready ? 200 : 503)
      .send({ status: ready ? 'ready' : 'not ready', service, version, checks: Object.fromEntries(entries) })
  })

  app.get('/metrics', { schema: { hide: true } }, async (_request, reply) =>
    reply.type(metrics.contentType).send(await metrics.text()),
  )
}

interface Outcome {
  readonly status: 'ok' | 'failed'
  readonly reason?: string
}

async function outcome(check: () => Promise<void>, timeoutMs: number): Promise<Outcome> {
  let timer: NodeJS.Timeout | undefined
  try {
    await Promise.race([
      check(),
      new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
      }),
    ])
    return { status: 'ok' }
  } catch (error) {
    return { status: 'failed', reason: reasonOf(error) }
  } finally {
    clearTimeout(timer)
  }
}

// As a log would show it: the message of a driver may hold the password of a connection string. A connection that is
// refused on two addresses has a code and no message.
function reasonOf(error: unknown): string {
  const { message, code, name } = serializeError(error)
  return [code, message].filter(Boolean).join(': ') || name
}
