import { z } from 'zod'
import { ServiceAnswerUnknownError, ServiceRefusedError, ServiceUnreachableError } from './command-errors.js'
import { linesOfBody } from './lines-of-body.js'
import { problemOf } from './service-client.js'

/** What the registry says about one line. */
export type ImportAnswer =
  | { readonly line: number; readonly outcome: 'created' | 'unchanged' }
  | { readonly line: number; readonly outcome: 'failed'; readonly code: string; readonly detail: string }

/** A line of the registry's answer: about one line sent, or its last word about the whole request. */
const answerLine = z.union([
  z.object({ line: z.int(), status: z.enum(['created', 'unchanged']) }),
  z.object({ line: z.int(), status: z.literal('failed'), error: z.object({ code: z.string(), detail: z.string() }) }),
  z.object({ summary: z.object({ nextLine: z.int() }) }),
  z.object({ aborted: z.object({ code: z.string(), detail: z.string(), nextLine: z.int() }) }),
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
      const answer = parseAnswer(line)
      if ('summary' in answer) continue
      // The registry stopped in the middle, and says so because the status was sent long before.
      if ('aborted' in answer) throw new ServiceRefusedError(SERVICE, `POST ${PATH}`, 503, answer.aborted)
      yield answer.status === 'failed'
        ? { line: answer.line, outcome: 'failed', ...answer.error }
        : { line: answer.line, outcome: answer.status }
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

function parseAnswer(line: string): z.output<typeof answerLine> {
  try {
    return answerLine.parse(JSON.parse(line))
  } catch (cause) {
    // Not the line itself: it may quote what was sent.
    throw new ServiceAnswerUnknownError(
      SERVICE,
      `POST ${PATH}`,
      'a line of the answer is none of the known kinds',
      cause,
    )
  }
}
