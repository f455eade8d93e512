import type { JsonObject } from '@rollcall/events'

export const MAX_ATTRIBUTES_BYTES = 16_384
export const MAX_ATTRIBUTES_DEPTH = 8
const MAX_NAME_LENGTH = 128

/** What is wrong with custom attributes, or undefined: size, depth, and what JSON can say but storage cannot hold. */
export function attributesProblem(attributes: JsonObject): string | undefined {
  const problem = problemIn(attributes, 1)
  if (problem !== undefined) return problem
  const size = Buffer.byteLength(JSON.stringify(attributes))
  return size > MAX_ATTRIBUTES_BYTES ? `must be at most ${MAX_ATTRIBUTES_BYTES} bytes as JSON, is ${size}` : undefined
}

function problemIn(value: unknown, depth: number): string | undefined {
  switch (typeof value) {
    case 'string':
      return UNSTORABLE.test(value) ? 'must not hold NUL characters or broken surrogates' : undefined
    case 'number':
      return Number.isFinite(value) ? undefined : 'holds a number beyond the range of a double'
    case 'boolean':
      return undefined
    case 'object':
      if (value === null) return undefined
      if (depth > MAX_ATTRIBUTES_DEPTH) return `must be at most ${MAX_ATTRIBUTES_DEPTH} levels deep`
      return Array.isArray(value)
        ? firstProblem(value, (item) => problemIn(item, depth + 1))
        : firstProblem(Object.entries(value), ([name, item]) => nameProblem(name) ?? problemIn(item, depth + 1))
    default:
      return 'must be JSON'
  }
}

// Postgres refuses both in jsonb; a surrogate without its other half is no text in UTF-8 either.
const UNSTORABLE = /\0|\p{Surrogate}/u

function nameProblem(name: string): string | undefined {
  if (name === '' || name.length > MAX_NAME_LENGTH) return `names must have 1 to ${MAX_NAME_LENGTH} characters`
  if (name === '__proto__') return 'must not use the name __proto__'
  return UNSTORABLE.test(name) ? 'must not hold NUL characters or broken surrogates' : undefined
}

function firstProblem<T>(items: readonly T[], check: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const problem = check(item)
    if (problem !== undefined) return problem
  }
  return undefined
}
