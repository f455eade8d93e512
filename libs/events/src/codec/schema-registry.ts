import { setTimeout as delay } from 'node:timers/promises'
import { COMPATIBILITY, SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry'
import type avsc from 'avsc'
import type { AvroRecord } from '../avro-schema.js'
import { avroOptions } from './avro-type.js'
import { SchemaIncompatibleError, SchemaRegistryRefusedError, SchemaRegistryUnreachableError } from './codec-errors.js'

/** A schema registry, in the words of the codec. */
export interface RegistryClient {
  /** Registers the schema if it is new, with FULL_TRANSITIVE compatibility, and answers its id. */
  register(subject: string, schema: AvroRecord): Promise<number>
  /** The id of a schema that is registered already; undefined when it is not. */
  lookUp(subject: string, schema: AvroRecord): Promise<number | undefined>
  /** The schema a record was written with; undefined when the registry has none of that id, or one that is not Avro. */
  writerType(id: number): Promise<avsc.Type | undefined>
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
          if (!lostTheRace(error) || attempt === MAX_RACES) throw toCodedError(url, error, subject)
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
    async writerType(id) {
      try {
        const schema = await registry.getSchema(id)
        return 'createResolver' in schema ? (schema as unknown as avsc.Type) : undefined
      } catch (error) {
        if (statusOf(error) === 404) return undefined
        throw toCodedError(url, error, `schema id ${id}`)
      }
    },
  }
}

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
