import { createHash } from 'node:crypto'

/** True for a UUID of version 7, in lower-case text. */
export function isUuidV7(text: string): boolean {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(text)
}

/**
 * The id of the user that a line of an import makes: the same for the same import and line, however often it is sent.
 * A UUIDv7 with the import's time and 74 bits of SHA-256 over import and line in place of random ones.
 *
 * @param importId a UUIDv7 in lower-case text.
 * @param line from 1.
 */
export function importedUserId(importId: string, line: number): string {
  const hash = createHash('sha256').update(`${importId}:${line}`).digest('hex')
  const time = importId.slice(0, 13)
  // RFC 9562 5.7: version 7 above rand_a, variant 10 above rand_b.
  const variant = (0x8 | (Number.parseInt(hash.charAt(3), 16) & 0x3)).toString(16)
  return `${time}-7${hash.slice(0, 3)}-${variant}${hash.slice(4, 7)}-${hash.slice(7, 19)}`
}
