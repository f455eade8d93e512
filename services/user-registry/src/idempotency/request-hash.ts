import { createHash } from 'node:crypto'

/** What makes two requests the same request. */
export interface RequestIdentity {
  readonly method: string
  /** Path with its query. */
  readonly target: string
  readonly ifMatch: string | undefined
  readonly body: unknown
}

/** SHA-256 over the parts of a request. Bodies are compared as parsed JSON with sorted names, not byte by byte. */
export function requestHash({ method, target, ifMatch, body }: RequestIdentity): Buffer {
  return createHash('sha256')
    .update(JSON.stringify([method, target, ifMatch ?? null]))
    .update(canonicalJson(body ?? null))
    .digest()
}

/** JSON with sorted member names: equal for equal values. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  )
}
