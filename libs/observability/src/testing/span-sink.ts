import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One span as a collector receives it. */
export interface CollectedSpan {
  readonly service: string
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  /** 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  readonly kind: number
  readonly failed: boolean
  readonly attributes: Readonly<Record<string, unknown>>
}

export interface SpanSink {
  /** Give it to `startTracing`, or to a child process as OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly endpoint: string
  spans(): CollectedSpan[]
  /** The first span that fits, as soon as it arrives. Rejects after `timeoutMs`, naming the spans that did arrive. */
  waitFor(fits: (span: CollectedSpan) => boolean, timeoutMs?: number): Promise<CollectedSpan>
  close(): Promise<void>
}

/** A collector: an HTTP server on a free loopback port that keeps the spans it is sent over OTLP. */
export async function spanSink(): Promise<SpanSink> {
  const spans: CollectedSpan[] = []
  const arrivals = new Set<() => void>()
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      spans.push(...readSpans(JSON.parse(Buffer.concat(chunks).toString()) as Export))
      response.setHeader('content-type', 'application/json').end('{}')
      for (const arrived of arrivals) arrived()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans: () => [...spans],
    waitFor: (fits, timeoutMs = 10_000) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = spans.find(fits)
          if (found === undefined) return
          stop()
          resolve(found)
        }
        const timer = setTimeout(() => {
          stop()
          reject(new Error(`No such span within ${timeoutMs} ms; arrived: ${spans.map(({ name }) => name).join(', ')}`))
        }, timeoutMs)
        const stop = () => {
          clearTimeout(timer)
          arrivals.delete(look)
        }
        arrivals.add(look)
        look()
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

interface Export {
  readonly resourceSpans?: readonly {
    readonly resource?: { readonly attributes?: readonly Attribute[] }
    readonly scopeSpans?: readonly { readonly spans?: readonly OtlpSpan[] }[]
  }[]
}
interface OtlpSpan {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly kind: number
  readonly status?: { readonly code?: number }
  readonly attributes?: readonly Attribute[]
}
interface Attribute {
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}

const STATUS_ERROR = 2

function readSpans({ resourceSpans = [] }: Export): CollectedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans = [] }) => {
    const service = String(readAttributes(resource?.attributes)['service.name'])
    return scopeSpans.flatMap(({ spans = [] }) =>
      spans.map((span) => ({
        service,
        name: span.name,
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId || undefined,
        kind: span.kind,
        failed: span.status?.code === STATUS_ERROR,
        attributes: readAttributes(span.attributes),
      })),
    )
  })
}

const readAttributes = (attributes: readonly Attribute[] = []) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))
