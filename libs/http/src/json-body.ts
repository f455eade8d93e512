import type { App } from './create-app.js'
import { BodyMalformedError } from './http-errors.js'

const JSON_TYPES = /^application\/(?:json|merge-patch\+json)(?:\s*;|$)/i

/** Parses JSON bodies with errors that name the place and never show the text, which may be personal data. */
export function acceptJsonBodies(app: App): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(JSON_TYPES, { parseAs: 'string' }, (_request, body, done) => {
    try {
      done(null, parseJson(body as string))
    } catch (error) {
      done(error as Error)
    }
  })
}

function parseJson(text: string): unknown {
  if (text.length === 0) return undefined
  try {
    // A member called __proto__ would become the prototype of whatever the body is copied into.
    return text.includes('__proto__') ? JSON.parse(text, refuseProto) : JSON.parse(text)
  } catch (error) {
    if (error instanceof BodyMalformedError) throw error
    throw new BodyMalformedError(placeOf(error, text))
  }
}

function refuseProto(key: string, value: unknown): unknown {
  if (key === '__proto__') throw new BodyMalformedError('it has a member called __proto__')
  return value
}

function placeOf(error: unknown, text: string): string {
  const { message } = error as Error
  if (message.includes('end of JSON input') || message.includes('Unterminated')) return 'it ends too early'
  const position = /at position (\d+)/.exec(message)?.[1]
  if (position === undefined) return 'it cannot be parsed'
  const before = text.slice(0, Number(position)).split('\n')
  return `unexpected character at line ${before.length}, column ${(before.at(-1) ?? '').length + 1}`
}
