import { IfMatchInvalidError } from './http-errors.js'

/** The entity tags of an If-Match or If-None-Match header: `*`, or versions. */
export type EntityTags =
  | { readonly any: true }
  | {
      readonly any: false
      /** Versions named by strong tags. */
      readonly strong: readonly number[]
      /** Versions named by weak tags. */
      readonly weak: readonly number[]
    }

const MAX_TAGS = 32

/** The ETag of a version: the version in quotes, a strong tag. */
export function etagOf(version: number): string {
  return `"${version}"`
}

/**
 * Reads an If-Match or If-None-Match header (RFC 9110, 8.8.3 and 13.1). Tags that are not of our making are legal and
 * match nothing.
 *
 * @returns undefined when the header is absent.
 * @throws IfMatchInvalidError when the header is not a list of at most 32 tags.
 */
export function parseEntityTags(header: string | undefined): EntityTags | undefined {
  if (header === undefined) return undefined
  const text = header.trim()
  if (text === '*') return { any: true }
  const strong: number[] = []
  const weak: number[] = []
  const tag = /\s*(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$)/y
  for (let count = 0; tag.lastIndex < text.length; count++) {
    const match = tag.exec(text)
    if (match === null || count >= MAX_TAGS) throw new IfMatchInvalidError()
    const [, isWeak, version = ''] = match
    if (/^[1-9]\d{0,14}$/.test(version)) (isWeak ? weak : strong).push(Number(version))
  }
  if (text === '' || text.endsWith(',')) throw new IfMatchInvalidError()
  return { any: false, strong, weak }
}

/** True when a change guarded by If-Match may go on: strong comparison, so a weak tag never allows it (RFC 9110, 13.1.1). */
export function ifMatchAllows(tags: EntityTags | undefined, version: number): boolean {
  return tags === undefined || tags.any || tags.strong.includes(version)
}

/** True when the client of a read already has the version (answer 304): weak comparison (RFC 9110, 13.1.2). */
export function ifNoneMatchHolds(tags: EntityTags | undefined, version: number): boolean {
  return tags !== undefined && (tags.any || tags.strong.includes(version) || tags.weak.includes(version))
}
