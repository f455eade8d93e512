import type { FastifySchemaCompiler } from 'fastify'
import type { z } from 'zod'
import type { ProblemError } from './problem.js'

const PLACES = { body: 'body', querystring: 'query', params: 'path', headers: 'headers' } as const

/** Compiles a route's zod schemas. Ours, because the type provider's own flattens the paths of issues. */
export const validateByZod: FastifySchemaCompiler<z.ZodType> =
  ({ schema }) =>
  (data) => {
    const parsed = schema.safeParse(data)
    return parsed.success
      ? { value: parsed.data }
      : { error: new RefusedBySchema(parsed.error.issues as readonly Issue[]) }
  }

class RefusedBySchema extends Error {
  constructor(readonly issues: readonly Issue[]) {
    super('the request does not fit its schema')
  }
}

/** The wrong fields of a request that its route's zod schemas refused; undefined for any other error. */
export function validationProblems(error: unknown): ProblemError[] | undefined {
  if (!(error instanceof RefusedBySchema)) return undefined
  const { validationContext = 'body' } = error as { validationContext?: string }
  const place = PLACES[validationContext as keyof typeof PLACES] ?? 'body'
  return error.issues.flatMap((issue) => problemsOf(issue, place))
}

/** What is read of a zod issue. */
interface Issue {
  readonly code: string
  readonly path: readonly PropertyKey[]
  readonly message: string
  readonly keys?: readonly string[]
}

function problemsOf(issue: Issue, place: ProblemError['in']): ProblemError[] {
  const where = place === 'body' ? {} : { in: place as NonNullable<ProblemError['in']> }
  if (issue.code === 'unrecognized_keys') {
    return (issue.keys ?? []).map((key) => ({
      pointer: pointer([...issue.path, key]),
      detail: 'is not a known field',
      ...where,
    }))
  }
  return [{ pointer: pointer(issue.path), detail: issue.message, ...where }]
}

// RFC 6901, section 3.
function pointer(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}
