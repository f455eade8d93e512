import { z } from 'zod'
import {
  CommandInterruptedError,
  type Problem,
  ServiceAnswerUnknownError,
  ServiceRefusedError,
  ServiceUnreachableError,
} from './command-errors.js'

/** One service as this command line speaks to it. */
export interface ServiceClient {
  /** For messages: "user registry". */
  readonly service: string
  readonly url: string
  /**
   * Sends a request and answers the response whatever its body.
   *
   * @throws ServiceUnreachableError without an answer, ServiceRefusedError for a status of 400 or more
   */
  request(path: string, init?: ServiceRequest): Promise<Response>
  /** A JSON answer, checked against `shape`; ServiceAnswerUnknownError when it is another. */
  get<T>(path: string, shape: z.ZodType<T>): Promise<T>
  /** The same for a POST; a body goes as JSON. */
  post<T>(path: string, shape: z.ZodType<T>, body?: unknown): Promise<T>
}

export interface ServiceRequest {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** No answer for this long ends the request. @default 30000 */
  readonly timeoutMs?: number
  /** Statuses of 400 or more that the caller reads itself. */
  readonly expect?: readonly number[]
}

export function createServiceClient(service: string, url: string, signal?: AbortSignal): ServiceClient {
  const request = async (path: string, init: ServiceRequest = {}): Promise<Response> => {
    const { method = 'GET', headers = {}, body, timeoutMs = 30_000, expect = [] } = init
    const response = await fetch(url + path, {
      method,
      headers: { ...headers },
      ...(body === undefined ? {} : { body }),
      signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])]),
    }).catch((cause: unknown) => {
      if (signal?.aborted) throw new CommandInterruptedError()
      throw new ServiceUnreachableError(service, url, cause)
    })
    if (response.status < 400 || expect.includes(response.status)) return response
    throw new ServiceRefusedError(
      service,
      `${method} ${path.replace(/\?.*/, '')}`,
      response.status,
      await problemOf(response),
    )
  }
  const ask = async <T>(path: string, shape: z.ZodType<T>, init: ServiceRequest): Promise<T> => {
    const response = await request(path, init)
    const named = `${init.method} ${path.replace(/\?.*/, '')}`
    const value: unknown = await response.json().catch((cause: unknown) => {
      if (!(cause instanceof SyntaxError)) throw new ServiceUnreachableError(service, url, cause)
      throw new ServiceAnswerUnknownError(service, named, 'it is not JSON', cause)
    })
    const parsed = shape.safeParse(value)
    if (parsed.success) return parsed.data
    throw new ServiceAnswerUnknownError(service, named, z.prettifyError(parsed.error).replaceAll('\n', ' '))
  }
  return {
    service,
    url,
    request,
    get: (path, shape) => ask(path, shape, { method: 'GET' }),
    post: (path, shape, body) =>
      ask(path, shape, {
        method: 'POST',
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      }),
  }
}

const problem = z.object({
  title: z.string().optional(),
  detail: z.string().optional(),
  code: z.string().optional(),
  correlationId: z.string().optional(),
})

/** The problem details of a refusal, empty when it carries none. */
export async function problemOf(response: Response): Promise<Problem> {
  const text = await response.text().catch(() => '')
  try {
    return problem.parse(JSON.parse(text))
  } catch {
    return text.length > 0 && text.length < 200 ? { detail: text } : {}
  }
}
