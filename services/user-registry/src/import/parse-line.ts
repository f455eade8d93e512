import { createHash } from 'node:crypto'
import { canonicalJson } from '../idempotency/request-hash.js'
import { fieldProblems } from '../users/field-problem.js'
import { type UserProfile, userProfile } from '../users/user-profile.js'
import type { ImportLineError } from './import-result.js'
import type { InputLine } from './read-lines.js'

/** Longest line of an import, in bytes: the largest valid user, escaped, fits. */
export const MAX_LINE_BYTES = 131_072

export type ParsedLine =
  | { readonly line: number; readonly profile: UserProfile }
  | { readonly line: number; readonly error: ImportLineError }

/** Reads one line as a user; undefined for a blank line, which is no user and no error. */
export function parseLine({ line, bytes }: InputLine): ParsedLine | undefined {
  if (bytes === null) {
    return { line, error: { code: 'ERR_LINE_TOO_LONG', detail: `The line has more than ${MAX_LINE_BYTES} bytes.` } }
  }
  const text = decode(bytes)
  if (text === undefined) return malformed(line, 'The line is not UTF-8.')
  if (text.trim() === '') return undefined
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    // Without V8's message: it quotes the text, and results end up in logs and tickets.
    return malformed(line, 'The line is not JSON.')
  }
  const parsed = userProfile.safeParse(document)
  if (parsed.success) return { line, profile: parsed.data }
  const [first, ...more] = fieldProblems(parsed.error)
  const rest = more.length === 0 ? '' : ` (and ${more.length} more)`
  return {
    line,
    error: {
      code: 'ERR_USER_INVALID',
      detail: `${first?.detail ?? 'is not a user'}${rest}`,
      pointer: first?.pointer ?? '',
    },
  }
}

/** Tells a line sent again from a line that changed: white space, order and spelling of the same content do not count. */
export function contentHash(profile: UserProfile): Buffer {
  return createHash('sha256').update(canonicalJson(profile)).digest()
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function decode(bytes: Buffer): string | undefined {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

function malformed(line: number, detail: string): ParsedLine {
  return { line, error: { code: 'ERR_LINE_MALFORMED', detail } }
}
