import { z } from 'zod'

/** One wrong field: where it is, as a JSON pointer (RFC 6901), and what is wrong with it. Never its value. */
export interface ProblemError {
  readonly pointer: string
  readonly detail: string
  /** Where the pointer points into. @default 'body' */
  readonly in?: 'body' | 'query' | 'path' | 'headers'
}

/** RFC 9457 problem details, with our code and the correlation id. */
export interface Problem {
  /** `urn:rollcall:problem:<code>`. */
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
  readonly errors?: readonly ProblemError[]
  /** The path of the request, without its query. */
  readonly instance: string
  readonly correlationId: string
}

/** `Problem` as a schema, for OpenAPI and for clients that check what they are answered. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string().meta({ description: 'Stable; programs decide by it.' }),
  errors: z
    .array(
      z.object({
        pointer: z.string().meta({ description: 'JSON pointer (RFC 6901).' }),
        detail: z.string(),
        in: z.enum(['body', 'query', 'path', 'headers']).optional(),
      }),
    )
    .optional(),
  instance: z.string(),
  correlationId: z.string().meta({ description: 'Quote it when you report the problem.' }),
})
