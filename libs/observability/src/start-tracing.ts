import { context, trace } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node'

export interface TracingOptions {
  readonly service: string
  /** Base address of an OTLP/HTTP collector, such as http://127.0.0.1:4318. Tracing is off without one. */
  readonly endpoint?: string | undefined
  /** How long spans wait for company before they are sent. @default 1000 */
  readonly delayMs?: number
}

export interface Tracing {
  readonly enabled: boolean
  /** Sends what is waiting and stops; waits at most 5 seconds for the collector. */
  close(): Promise<void>
}

/**
 * Starts sending spans to a collector; does nothing without an endpoint. One per process: spans are made by `withSpan`
 * anywhere. A collector that is down costs spans, never requests: at most 2048 wait, older ones are dropped.
 */
export function startTracing({ service, endpoint, delayMs = 1_000 }: TracingOptions): Tracing {
  if (endpoint === undefined) return { enabled: false, close: async () => {} }
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ 'service.name': service }),
    spanProcessors: [
      new BatchSpanProcessor(
        new OTLPTraceExporter({ url: `${endpoint.replace(/\/+$/, '')}/v1/traces`, timeoutMillis: 5_000 }),
        { scheduledDelayMillis: delayMs, maxQueueSize: 2_048, exportTimeoutMillis: 5_000 },
      ),
    ],
  })
  provider.register()
  return {
    enabled: true,
    async close() {
      // A collector that is down must not fail the shutdown of the service.
      await provider.shutdown().catch(() => {})
      trace.disable()
      context.disable()
    },
  }
}
