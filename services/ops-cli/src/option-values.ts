import { InvalidArgumentError } from 'commander'

/** Reads a whole number between bounds. */
export const wholeNumber =
  (min: number, max: number) =>
  (text: string): number => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= min && value <= max) return value
    throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`)
  }

/** Reads one of a few words. */
export const oneOf =
  <const Words extends readonly string[]>(words: Words) =>
  (text: string): Words[number] => {
    if (words.includes(text)) return text
    throw new InvalidArgumentError(`Expected ${words.join(' or ')}.`)
  }

/** Reads a UUID. */
export function uuid(text: string): string {
  if (/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(text)) return text.toLowerCase()
  throw new InvalidArgumentError('Expected a UUID.')
}

/** Reads a UUID of version 7: the ids of an import's users are made from it, and take over its time. */
export function uuidVersion7(text: string): string {
  if (uuid(text)[14] === '7') return text.toLowerCase()
  throw new InvalidArgumentError('Expected a UUID of version 7.')
}

/** Collects `name=value` pairs of a repeatable option. */
export function pair(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const at = text.lastIndexOf('=')
  if (at < 1 || at === text.length - 1) throw new InvalidArgumentError('Expected <name>=<value>.')
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) }
}
