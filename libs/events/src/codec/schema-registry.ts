import { setTimeout as delay } from 'node:timers/promises'
import { COMPATIBILITY, SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry'
import type { AvroRecord } from '../avro-schema.js'
import { avroOptions } from './avro-type.js'
import {
  SchemaIncompatibleError,
  SchemaRegistryRefusedError,
  SchemaRegistryUnreachableError,
  SchemaUnreadableError,
} from './codec-errors.js'
import { WRITER_SCHEMA_LIMITS } from './writer-type.js'

/** A schema registry, in the words of the codec. */
export interface RegistryClient {
  /** Registers the schema if it is new, with FULL_TRANSITIVE compatibility, and answers its id. */
  register(subject: string, schema: AvroRecord): Promise<number>
  /** The id of a schema that is registered already; undefined when it is not. */
  lookUp(subject: string, schema: AvroRecord): Promise<number | undefined>
  /** The text of the schema of that id; undefined when the registry says that it has none. @throws SchemaUnreadableError */
  textOf(id: number): Promise<string | undefined>
}

type Middleware = NonNullable<ConstructorParameters<typeof SchemaRegistry>[0]['middlewares']>[number]

const REQUEST_TIMEOUT_MS = 5_000

/**
 * @throws SchemaRegistryUnreachableError, SchemaRegistryRefusedError, SchemaIncompatibleError from its functions.
 */
export function registryClient(url: string): RegistryClient {
  const registry = new SchemaRegistry(
    {
      host: url.replace(/\/+$/, ''),
      retry: { retries: 2, initialRetryTimeInSecs: 0.1, maxRetryTimeInSecs: 1 },
      middlewares: [withTimeout],
    },
    { [SchemaType.AVRO]: avroOptions() },
  )

  return {
    async register(subject, schema) {
      for (let attempt = 1; ; attempt++) {
        try {
          const { id } = await registry.register(
            { type: SchemaType.AVRO, schema: JSON.stringify(schema) },
            { subject, compatibility: COMPATIBILITY.FULL_TRANSITIVE },
          )
          return id
        } catch (error) {
          if (!lostTheRace(error) || attempt > MAX_RACES) throw toCodedError(url, error, subject)
          if (attempt === MAX_RACES && isHalfMade(error)) await giveLevel(url, subject)
          await delay(attempt * 50)
        }
      }
    },
    async lookUp(subject, schema) {
      try {
        return await registry.getRegistryIdBySchema(subject, {
          type: SchemaType.AVRO,
          schema: JSON.stringify(schema),
        })
      } catch (error) {
        // The client wraps a 404 of this one call in a class without the status.
        if ((error as Error).constructor.name === 'ConfluentSchemaRegistryError') return undefined
        throw toCodedError(url, error, subject)
      }
    },
    async textOf(id) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await fetchText(url, id)
        } catch (error) {
          if (!(error instanceof SchemaRegistryUnreachableError) || attempt === MAX_ATTEMPTS) throw error
          await delay(attempt * 100)
        }
      }
    },
  }
}

const MAX_ATTEMPTS = 3

// Not through the client: it reads answers of any size, and what it cannot compile looks to it like a registry that fails.
async function fetchText(url: string, id: number): Promise<string | undefined> {
  const { status, text } = await fetchBounded(url, `/schemas/ids/${id}`)
  if (text === undefined) throw new SchemaUnreadableError(id, `it takes more than ${MAX_ANSWER_BYTES} bytes`)
  const answer = parsed(text)
  if (status === 200 && answer !== undefined) {
    const { schema, schemaType = 'AVRO' } = answer
    if (schemaType !== 'AVRO') throw new SchemaUnreadableError(id, `it is ${String(schemaType).slice(0, 20)}, not Avro`)
    if (typeof schema === 'string') return schema
  }
  // A 404 that is not the registry's own is of a wrong address.
  if (status === 404 && answer?.error_code === SCHEMA_NOT_FOUND) return undefined
  if (status >= 500) throw new SchemaRegistryUnreachableError(url, `status ${status}`)
  throw new SchemaRegistryRefusedError(
    url,
    `schema id ${id}: ${status === 200 ? 'an answer without a schema' : `status ${status}`}`,
  )
}

async function fetchBounded(url: string, path: string): Promise<{ status: number; text: string | undefined }> {
  const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS)
  try {
    const { origin, pathname, username, password } = new URL(`${url.replace(/\/+$/, '')}${path}`)
    const authorization = username === '' ? undefined : `Basic ${btoa(decodeURIComponent(`${username}:${password}`))}`
    const response = await fetch(`${origin}${pathname}`, {
      signal,
      redirect: 'error',
      headers: { accept: 'application/vnd.schemaregistry.v1+json', ...(authorization && { authorization }) },
    })
    const chunks: Uint8Array[] = []
    let bytes = 0
    for await (const chunk of response.body ?? []) {
      bytes += chunk.length
      // Leaving the loop closes the connection.
      if (bytes > MAX_ANSWER_BYTES) return { status: response.status, text: undefined }
      chunks.push(chunk)
    }
    return { status: response.status, text: Buffer.concat(chunks).toString() }
  } catch (error) {
    throw new SchemaRegistryUnreachableError(
      url,
      reasonOf(((error as Error).cause as Error | undefined)?.message ?? (error as Error).message),
      error,
    )
  }
}

function parsed(text: string): { schema?: unknown; schemaType?: unknown; error_code?: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

/** https://docs.confluent.io/platform/current/schema-registry/develop/api.html#get--schemas-ids-int-%20id */
const SCHEMA_NOT_FOUND = 40_403
/** The schema stands in it as a JSON string, with its quotes escaped. */
const MAX_ANSWER_BYTES = 2 * WRITER_SCHEMA_LIMITS.bytes

const MAX_RACES = 6

// Two processes that register a new subject at the same moment: one of them is refused, as if the schema were wrong, or
// meets an error inside the registry. Asked again, both get the same id.
function lostTheRace(error: unknown): boolean {
  const status = statusOf(error)
  const { name, message } = error as Error
  if (status === 409) return /already exists/i.test(message)
  // The subject of the faster one is there, its compatibility level not yet.
  if (name === 'ConfluentSchemaRegistryCompatibilityError') return true
  return status !== undefined && status >= 500
}

// The client makes the subject and then gives it its level. A process that dies, or is not answered, in between leaves the
// subject at NONE, which the client takes for a contradiction each time after. Raising it is always safe.
const isHalfMade = (error: unknown) => (error as Error).message.includes('!= NONE)')

async function giveLevel(url: string, subject: string): Promise<void> {
  const answer = await fetch(`${url.replace(/\/+$/, '')}/config/${encodeURIComponent(subject)}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ compatibility: COMPATIBILITY.FULL_TRANSITIVE }),
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  }).catch(() => undefined)
  await answer?.arrayBuffer().catch(() => {})
}

// The client waits for ever by itself, and a registry that is stopped, not dead, would hold every consumer.
const withTimeout: Middleware = () => ({
  prepareRequest: async (next) => (await next()).enhance({ timeout: REQUEST_TIMEOUT_MS }),
})

function toCodedError(url: string, error: unknown, subject: string): Error {
  const { message } = error as Error
  const status = statusOf(error)
  if (status === 409) return new SchemaIncompatibleError(subject, reasonOf(message), error)
  if ((error as Error).name === 'ConfluentSchemaRegistryCompatibilityError') {
    return new SchemaRegistryRefusedError(url, `${subject} must be FULL_TRANSITIVE, but: ${message}`, error)
  }
  // A refused connection is reported as status 400, with the text of the socket error.
  if (status === undefined || status >= 500 || NO_ANSWER.test(message)) {
    return new SchemaRegistryUnreachableError(url, reasonOf(message), error)
  }
  return new SchemaRegistryRefusedError(url, `${subject}: ${reasonOf(message)} (status ${status})`, error)
}

const NO_ANSWER =
  /ECONNREFUSED|ECONNRESET|EPIPE|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|socket hang up|timeout/i

const statusOf = (error: unknown) => (error as { status?: number }).status

const reasonOf = (message: string) => message.replace(/^Confluent_Schema_Registry - /, '')
