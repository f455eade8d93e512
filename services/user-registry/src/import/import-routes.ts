import { Readable } from 'node:stream'
import { RollcallError } from '@rollcall/errors'
import { type App, problemSchema } from '@rollcall/http'
import { currentRequest, type Metrics } from '@rollcall/observability'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Principal } from '../principal.js'
import { isUuidV7 } from './import-id.js'
import { type ImportAnswer, type ImportOptions, importUsers } from './import-users.js'

export interface ImportRoutesOptions extends Pick<ImportOptions, 'sql' | 'codec' | 'committed' | 'now' | 'newId'> {
  readonly metrics: Metrics
  readonly principalOf: (request: FastifyRequest) => Principal
}

/** An import header is wrong. */
export class ImportHeaderInvalidError extends RollcallError {
  constructor(header: string, expected: string) {
    super({
      code: 'ERR_IMPORT_HEADER_INVALID',
      message: `The header ${header} must be ${expected}.`,
      facts: { header },
    })
  }
}

/** Adds the streaming import: NDJSON in, NDJSON out, both at the pace of the slower side. */
export function addImportRoutes(app: App, { metrics, principalOf, ...options }: ImportRoutesOptions) {
  const lines = metrics.counter({
    name: 'rollcall_import_lines_total',
    help: 'Lines of imports answered, by what became of them.',
    labelNames: ['status'],
  })
  // The bytes are read by the import itself; here they only pass through.
  app.addContentTypeParser('application/x-ndjson', (_request, payload, done) => done(null, payload))
  app.post(
    '/v1/users/import',
    {
      schema: {
        tags: ['users'],
        summary: 'Create many users',
        description: DESCRIPTION,
        consumes: ['application/x-ndjson'],
        produces: ['application/x-ndjson'],
        headers: importHeaders,
        response: { 200: z.string().meta({ description: 'NDJSON, one object per line.' }), 400: problemSchema },
      },
    },
    async (request, reply) => {
      const answers = importUsers(request.body as Readable, {
        ...options,
        ...importPlace(request),
        principal: principalOf(request),
        correlationId: currentRequest()?.correlationId ?? request.id,
      })
      const counted = count(answers, (status) => lines.inc({ status }))
      // The type provider knows the answer as text; it is streamed.
      const streamed: FastifyReply = reply
      streamed.type('application/x-ndjson; charset=utf-8').send(Readable.from(counted, { objectMode: false }))
      return streamed as never
    },
  )
}

const DESCRIPTION = `One user per line, as in the body of a creation; one result per line is sent back while the input is read:
\`{ "line", "status": "created" | "unchanged" | "failed", "id"?, "version"?, "error"?: { "code", "detail", "pointer"? } }\`,
and last \`{ "summary": { "created", "unchanged", "failed", "nextLine" } }\`. Without a summary the import ended early.
Read the results while you send. Blank lines count, but have no result.

With \`Import-Id\` an import can be sent again after any failure: a line that is there already is \`unchanged\`. To send the
rest only, say with \`Import-First-Line\` which number its first line has.`

const importHeaders = z.looseObject({
  'import-id': z.string().optional().meta({ description: 'A UUIDv7; makes the import resumable.' }),
  'import-first-line': z.string().optional().meta({ description: 'Number of the first line.', example: '1' }),
})

function importPlace({ headers }: FastifyRequest): { importId?: string; firstLine: number } {
  const importId = headers['import-id']?.toString().toLowerCase()
  if (importId !== undefined && !isUuidV7(importId))
    throw new ImportHeaderInvalidError('Import-Id', 'a UUID of version 7')
  const firstLine = headers['import-first-line'] ?? '1'
  if (!/^[1-9]\d{0,11}$/.test(firstLine.toString())) {
    throw new ImportHeaderInvalidError('Import-First-Line', 'a whole number from 1')
  }
  if (headers['idempotency-key'] !== undefined) {
    throw new ImportHeaderInvalidError('Idempotency-Key', 'absent; an import is made repeatable by Import-Id')
  }
  return { firstLine: Number(firstLine), ...(importId === undefined ? {} : { importId }) }
}

async function* count(answers: AsyncIterable<ImportAnswer>, counted: (status: string) => void): AsyncGenerator<string> {
  for await (const answer of answers) {
    let text = ''
    for (const entry of answer) {
      if ('status' in entry) counted(entry.status)
      text += `${JSON.stringify(entry)}\n`
    }
    if (text !== '') yield text
  }
}
