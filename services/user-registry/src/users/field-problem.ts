import type { z } from 'zod'

/** One thing wrong with a document: where (JSON Pointer, RFC 6901) and what. Never the value itself. */
export interface FieldProblem {
  readonly pointer: string
  readonly detail: string
}

/** Says a zod failure in JSON Pointers; an unknown member is pointed at by its own name. */
export function fieldProblems(error: z.core.$ZodError): FieldProblem[] {
  return error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ pointer: jsonPointer([...issue.path, key]), detail: unknownField(key) }))
      : [{ pointer: jsonPointer(issue.path), detail: detailOf(issue) }],
  )
}

export function jsonPointer(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

const READ_ONLY: Readonly<Record<string, string>> = {
  status: 'is read-only here; use suspend, reactivate, delete or restore',
  id: 'is given by the registry',
  tenantId: 'is given by the caller’s identity',
  version: 'is kept by the registry; use If-Match to name the one you expect',
  createdAt: 'is kept by the registry',
  updatedAt: 'is kept by the registry',
  deletedAt: 'is kept by the registry',
  purgeAt: 'is kept by the registry',
}

function unknownField(key: string): string {
  return READ_ONLY[key] ?? 'is not a known field; custom data belongs in attributes'
}

function detailOf(issue: z.core.$ZodIssue): string {
  // zod's own messages begin with a capital and name types and limits, never the value.
  return issue.message.charAt(0).toLowerCase() + issue.message.slice(1)
}
