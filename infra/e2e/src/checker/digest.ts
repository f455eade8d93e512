import { createHash } from 'node:crypto'

/**
 * The first 48 bits of a SHA-256 as a number. A number costs 8 bytes for each of 500,000 events where a string costs
 * 60; two different records of one user pass for equal with a chance of 4e-15.
 */
export function digestOf(...parts: ReadonlyArray<Uint8Array | string>): number {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(`${part.length}:`).update(part)
  return hash.digest().readUIntBE(0, 6)
}

/** The digest of a Kafka record's key, value and headers; the headers' order does not count. */
export function recordDigest(
  key: Uint8Array | null,
  value: Uint8Array | null,
  headers: Readonly<Record<string, Uint8Array>>,
): number {
  const parts: Array<Uint8Array | string> = [key ?? 'no key', value ?? 'no value']
  for (const name of Object.keys(headers).sort()) parts.push(name, headers[name] as Uint8Array)
  return digestOf(...parts)
}

/** JSON with sorted keys, so that equal values have equal texts. `undefined` counts as null. */
export function canonicalJson(value: unknown): string {
  if (value === undefined || value === null) return 'null'
  if (value instanceof Date) return JSON.stringify(value.toISOString())
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object') return JSON.stringify(value)
  const entries = Object.entries(value).filter(([, member]) => member !== undefined)
  entries.sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(',')}}`
}
