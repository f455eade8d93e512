import { z } from 'zod'
import { ServiceAnswerUnknownError, ServiceRefusedError, ServiceUnreachableError } from './command-errors.js'
import { linesOfBody } from './lines-of-body.js'
import { problemOf } from './service-client.js'

/** What the registry says about one line. */
export type ImportAnswer = z.output<typeof importAnswer>

const importAnswer = z.discriminatedUnion('outcome', [
  z.object({ line: z.number().int(), outcome: z.enum(['created', 'unchanged']) }),
  z.object({ line: z.number().int(), outcome: z.literal('failed'), code: z.string(), detail: z.string().optional() }),
])

export interface ImportRequest {
  readonly importId: string
  /** Number of the first user under the import id, from 1; the others follow without a gap. */
  readonly firstLine: number
  /** One JSON object each, on one line. */
  readonly users: readonly string[]
  /** Ends the request when nothing arrives for this long. */
  readonly silenceMs: number
  readonly signal: AbortSignal
}

/**
 * Sends users and yields the registry's answers as they arrive: each is about a committed line. A connection that dies
 * halfway throws after the answers that came.
 *
 * @throws ServiceUnreachableError, ServiceRefusedError, ServiceAnswerUnknownError
 */
export async function* sendImport(registryUrl: string, request: ImportRequest): AsyncGenerator<ImportAnswer> {
  const silence = new AbortController()
  const timer = setTimeout(
    () => silence.abort(new DOMException('no answer in time', 'TimeoutError')),
    request.silenceMs,
  )
  try {
    const response = await fetch(`${registryUrl}${PATH}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-ndjson',
        accept: 'application/x-ndjson',
        'import-id': request.importId,
        'import-first-line': String(request.firstLine),
      },
      body: `${request.users.join('\n')}\n`,
      signal: AbortSignal.any([silence.signal, request.signal]),
    })
    if (!response.ok) {
      throw new ServiceRefusedError(SERVICE, `POST ${PATH}`, response.status, await problemOf(response))
    }
    for await (const line of linesOfBody(response.body ?? new ReadableStream())) {
      timer.refresh()
      yield parseAnswer(line)
    }
  } catch (cause) {
    if (cause instanceof ServiceRefusedError || cause instanceof ServiceAnswerUnknownError) throw cause
    throw new ServiceUnreachableError(SERVICE, registryUrl, cause)
  } finally {
    clearTimeout(timer)
  }
}

const SERVICE = 'user registry'
const PATH = '/v1/users/import'

function parseAnswer(line: string): ImportAnswer {
  try {
    return importAnswer.parse(JSON.parse(line))
  } catch (cause) {
    throw new ServiceAnswerUnknownError(SERVICE, `POST ${PATH}`, `${JSON.stringify(line.slice(0, 200))}`, cause)
  }
}
