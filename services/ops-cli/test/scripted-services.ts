import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What a path answers: a value as JSON with status 200, or a whole answer. */
export type ScriptedAnswer = unknown | ((query: URLSearchParams) => unknown)

export interface ScriptedServices {
  readonly url: string
  /** `GET /path` to its answer, text as it is; may be changed at any time. */
  readonly answers: Map<string, ScriptedAnswer>
  readonly requests: string[]
  close(): Promise<void>
}

/** An answer with another status than 200. */
export const status = (code: number, body: unknown) => ({ [STATUS]: code, body })
const STATUS = Symbol('status')

/** HTTP services that answer what a test says; anything else is a 404 problem. */
export async function scriptedServices(answers: Record<string, ScriptedAnswer>): Promise<ScriptedServices> {
  const known = new Map(Object.entries(answers))
  const requests: string[] = []
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost')
    const name = `${request.method} ${url.pathname}`
    requests.push(name)
    request.resume()
    const scripted = known.has(name)
      ? known.get(name)
      : status(404, { status: 404, code: 'ERR_ROUTE_UNKNOWN', detail: 'There is no such thing.' })
    const answer =
      typeof scripted === 'function' ? (scripted as (query: URLSearchParams) => unknown)(url.searchParams) : scripted
    const isWhole = typeof answer === 'object' && answer !== null && STATUS in answer
    response.writeHead(isWhole ? (answer as { [STATUS]: number })[STATUS] : 200, { 'content-type': 'application/json' })
    if (typeof answer === 'string') return response.end(answer)
    response.end(JSON.stringify(isWhole ? (answer as unknown as { body: unknown }).body : answer))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answers: known,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
