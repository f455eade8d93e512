import type { Metrics } from '@rollcall/observability'
import type { App } from './create-app.js'

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

  app.get('/health/ready', { schema: { hide: true } }, async (_request, reply) => {
    const entries = await Promise.all(
      Object.entries(readiness).map(async ([name, check]) => [name, await outcome(check, readinessTimeoutMs)] as const),
    )
    const ready = entries.every(([, { status }]) => status === 'ok')
    return reply
      .code(ready ? 200 : 503)
      .send({ status: ready ? 'ready' : 'not ready', service, version, checks: Object.fromEntries(entries) })
  })

  app.get('/metrics', { schema: { hide: true } }, async (_request, reply) =>
    reply.type(metrics.contentType).send(await metrics.text()),
  )
}

async function outcome(
  check: () => Promise<void>,
  timeoutMs: number,
): Promise<{ status: 'ok' | 'failed'; reason?: string }> {
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
    return { status: 'failed', reason: error instanceof Error ? error.message : String(error) }
  } finally {
    clearTimeout(timer)
  }
}
