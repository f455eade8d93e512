import type { z } from 'zod'
import { CursorInvalidError } from './http-errors.js'

const MAX_LENGTH = 2_048

/** Makes an opaque paging cursor of a small JSON value. Opaque, not secret: anyone can decode it. */
export function encodeCursor(position: unknown): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url')
}

/**
 * Reads a cursor back.
 *
 * @param schema what the position must look like; give it everything the listing depends on (sort, filters), so that a
 *   cursor of one query is refused by another.
 * @throws CursorInvalidError
 */
export function decodeCursor<Schema extends z.ZodType>(cursor: string, schema: Schema): z.output<Schema> {
  if (cursor.length === 0 || cursor.length > MAX_LENGTH || !/^[\w-]+$/.test(cursor)) throw new CursorInvalidError()
  let position: unknown
  try {
    position = JSON.parse(Buffer.from(cursor, 'base64url').toString())
  } catch {
    throw new CursorInvalidError()
  }
  const parsed = schema.safeParse(position)
  if (!parsed.success) throw new CursorInvalidError()
  return parsed.data
}
