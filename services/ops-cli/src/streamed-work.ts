import { z } from 'zod'
import { ServiceAnswerUnknownError, ServiceRefusedError } from './command-errors.js'
import { linesOfBody } from './lines-of-body.js'
import type { ServiceClient } from './service-client.js'

const errorShape = z.object({ code: z.string(), detail: z.string() })

/**
 * Asks a service for a long piece of work, which answers NDJSON while it goes on, and resolves with its report.
 *
 * @throws ServiceRefusedError when the work failed
 */
export async function streamedWork<Progress, Report>(
  client: ServiceClient,
  path: string,
  {
    body,
    progress,
    report,
    told,
  }: {
    readonly body: unknown
    readonly progress: z.ZodType<Progress>
    readonly report: z.ZodType<Report>
    readonly told: (progress: Progress) => void
  },
): Promise<Report> {
  const response = await client.request(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    timeoutMs: LONGEST_WORK_MS,
  })
  const named = `POST ${path}`
  const line = z.union([z.object({ progress }), z.object({ report }), z.object({ error: errorShape })])
  for await (const text of linesOfBody(response.body ?? (async function* () {})())) {
    const parsed = line.safeParse(jsonOf(text))
    if (!parsed.success) {
      const why = z.prettifyError(parsed.error).replaceAll('\n', ' ')
      throw new ServiceAnswerUnknownError(client.service, named, why)
    }
    if ('error' in parsed.data) throw new ServiceRefusedError(client.service, named, 500, parsed.data.error)
    if ('report' in parsed.data) return parsed.data.report
    told(parsed.data.progress)
  }
  throw new ServiceAnswerUnknownError(client.service, named, 'it ended without a report')
}

const LONGEST_WORK_MS = 86_400_000

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
