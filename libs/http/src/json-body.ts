import type { App } from './app.js'
import { BodyMalformedError } from './http-errors.js'
import { locateJsonError } from './locate-json-error.js'

const JSON_TYPES = /^application\/(?:json|merge-patch\+json)(?:\s*;|$)/i
const MAX_DEPTH = 64

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
  refuseDepth(text)
  try {
    // A member of that name would become the prototype of whatever the body is copied into. It can be spelled with
    // escapes, and then the text has a backslash.
    return text.includes('__proto__') || text.includes('\\u') ? JSON.parse(text, refuseProto) : JSON.parse(text)
  } catch (error) {
    if (error instanceof BodyMalformedError) throw error
    throw new BodyMalformedError(locateJsonError(text))
  }
}

// A body of a million brackets parses, and then exhausts the stack of whatever walks it.
function refuseDepth(text: string): void {
  let depth = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === QUOTE) inString = !inString
    else if (inString) {
      if (code === BACKSLASH) i++
    } else if (code === OPEN_ARRAY || code === OPEN_OBJECT) {
      if (++depth > MAX_DEPTH) throw new BodyMalformedError(`it is nested deeper than ${MAX_DEPTH}`)
    } else if (code === CLOSE_ARRAY || code === CLOSE_OBJECT) depth--
  }
}

const [QUOTE, BACKSLASH, OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d]

function refuseProto(key: string, value: unknown): unknown {
  if (key === '__proto__') throw new BodyMalformedError('it has a member called __proto__')
  return value
}
