/** Where two values differ, in words; undefined when they do not. Dates by time, bytes by content, a missing key as null. */
export function difference(wanted: unknown, found: unknown, path = ''): string | undefined {
  if (wanted === found || (wanted ?? null) === (found ?? null)) return undefined
  if (typeof wanted === 'object' && typeof found === 'object' && wanted !== null && found !== null) {
    if (wanted instanceof Date && found instanceof Date && wanted.getTime() === found.getTime()) return undefined
    if (wanted instanceof Uint8Array && found instanceof Uint8Array && Buffer.compare(wanted, found) === 0)
      return undefined
    if (isPlain(wanted) && isPlain(found) && Array.isArray(wanted) === Array.isArray(found)) {
      return differenceInside(wanted, found, path)
    }
  }
  if (Number.isNaN(wanted) && Number.isNaN(found)) return undefined
  return `${path === '' ? '' : `${path} `}is ${show(found)}, not ${show(wanted)}`
}

type Keyed = Readonly<Record<string, unknown>>

function differenceInside(wanted: object, found: object, path: string): string | undefined {
  for (const key in wanted) {
    const inside = path === '' ? key : `${path}.${key}`
    const different = difference((wanted as Keyed)[key], (found as Keyed)[key], inside)
    if (different !== undefined) return different
  }
  for (const key in found) {
    if (key in wanted || (found as Keyed)[key] === undefined || (found as Keyed)[key] === null) continue
    return `${path === '' ? key : `${path}.${key}`} is ${show((found as Keyed)[key])}, not there`
  }
  return undefined
}

const isPlain = (value: object) => !(value instanceof Date) && !(value instanceof Uint8Array)

const MOST = 300

export function show(value: unknown): string {
  const text =
    value === null || value === undefined
      ? 'none'
      : (JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? `${one}` : one)) ?? String(value))
  return text.length > MOST ? `${text.slice(0, MOST)}…` : text
}
