import { RollcallError } from '@rollcall/errors'
import type avsc from 'avsc'
import type { Topic } from '../topic.js'
import { avroType } from './avro-type.js'
import {
  EventInvalidError,
  EventMalformedError,
  EventTypeUnknownError,
  SchemaIncompatibleError,
  SchemaNotRegisteredError,
  SchemaRegistryRefusedError,
  SchemaUnknownError,
  SchemaUnreadableError,
} from './codec-errors.js'
import { registryClient } from './schema-registry.js'
import { writerType } from './writer-type.js'

export interface CodecOptions {
  /** Base address of a registry with the Confluent API, such as http://127.0.0.1:18081/apis/ccompat/v7. */
  readonly schemaRegistryUrl: string
  /** Register schemas that are missing: producers do, consumers need not. @default false */
  readonly register?: boolean
  /** How long a schema id that is unknown, or whose schema is not read, is remembered as such. @default 5000 */
  readonly unknownForMs?: number
}

/** Turns the events of one topic into record values and back: a zero byte, the schema id in 4 bytes, and Avro. */
export interface EventCodec<E> {
  /**
   * Registers the schemas of the topic, or looks their ids up. Needed before `encode`; `decode` finds what it needs by
   * itself, but only after `ready` is it synchronous from the first record on. May be called again after a failure.
   *
   * @throws SchemaRegistryUnreachableError (retryable), SchemaIncompatibleError, SchemaRegistryRefusedError
   */
  ready(): Promise<void>
  /**
   * The bytes of an event, as a buffer of its own.
   *
   * @throws EventInvalidError naming the fields that do not fit, SchemaNotRegisteredError before `ready`.
   */
  encode(event: E): Buffer
  /**
   * The event of a record's value, in the shape of this build's schema. Synchronous when the schema it was written with
   * is known already, and then it throws what the promise would reject with.
   *
   * Takes time and memory in proportion to the bytes, whatever they claim, and whatever schema they name.
   *
   * @throws EventMalformedError, EventTypeUnknownError, SchemaUnknownError, SchemaUnreadableError, SchemaIncompatibleError:
   *   of the record; SchemaRegistryUnreachableError (retryable), SchemaRegistryRefusedError: of the registry
   */
  decode(value: Buffer): E | Promise<E>
}

interface Writer {
  readonly subject: string
  readonly avro: avsc.Type
  id: number | undefined
}

interface Reader {
  readonly type: string
  readonly avro: avsc.Type
  /** Undefined when the record was written with this build's own schema. */
  readonly resolver: ReturnType<avsc.Type['createResolver']> | undefined
}

const HEAD_BYTES = 5
/** The longest value that is an event; longer ones are neither written nor read. */
export const MAX_EVENT_BYTES = 1_048_576
const MAX_PROBLEMS = 5
const MAX_REFUSALS = 1_000

/** Creates the codec of a topic. Nothing is asked of the schema registry until `ready` or the first record. */
export function createCodec<E extends { readonly type: string }>(
  topic: Topic<E>,
  { schemaRegistryUrl, register = false, unknownForMs = 5_000 }: CodecOptions,
): EventCodec<E> {
  const registry = registryClient(schemaRegistryUrl)
  const types = Object.keys(topic.schemas) as E['type'][]
  const writers = new Map<string, Writer>(
    types.map((type) => {
      const subject = `${topic.name}-${topic.recordNames[type]}`
      return [type, { subject, avro: avroType(topic.schemas[type]), id: undefined }]
    }),
  )
  const typeOfRecord = new Map(types.map((type) => [topic.recordNames[type] as string, type]))
  const readers = new Map<number, Reader>()
  const loading = new Map<number, Promise<Reader>>()
  const refusals = new Map<number, { readonly error: unknown; readonly untilMs: number }>()
  let scratch = Buffer.allocUnsafe(16_384)
  let readying: Promise<void> | undefined

  async function makeReady(): Promise<void> {
    await Promise.all(
      types.map(async (type) => {
        const writer = writerOf(type)
        const { subject } = writer
        const schema = topic.schemas[type]
        const id = register ? await registry.register(subject, schema) : await registry.lookUp(subject, schema)
        if (id === undefined) return
        writer.id = id
        readers.set(id, { type, avro: writer.avro, resolver: undefined })
      }),
    )
  }

  function writerOf(type: string): Writer {
    const writer = writers.get(type)
    if (writer === undefined) throw new EventTypeUnknownError(topic.name, type)
    return writer
  }

  function write(avro: avsc.Type, event: E): number {
    const end = avro.encode(event, scratch, HEAD_BYTES)
    if (end >= 0) return end
    // Negative: by how many bytes the buffer is too small.
    const bytes = scratch.length - end
    if (bytes > MAX_EVENT_BYTES) {
      throw new EventInvalidError(event.type, [`it takes ${bytes} bytes, more than ${MAX_EVENT_BYTES}`])
    }
    scratch = Buffer.allocUnsafe(Math.min(bytes * 2, MAX_EVENT_BYTES))
    return avro.encode(event, scratch, HEAD_BYTES)
  }

  function read({ type, avro, resolver }: Reader, value: Buffer): E {
    let decoded: { value: { type?: string }; offset: number }
    try {
      decoded = avro.decode(value, HEAD_BYTES, resolver)
    } catch (error) {
      throw new EventMalformedError(topic.name, `not a ${type}: ${(error as Error).message}`)
    }
    if (decoded.offset < 0)
      throw new EventMalformedError(topic.name, `cut short, after ${value.length} bytes`, { type })
    if (decoded.offset !== value.length) {
      throw new EventMalformedError(topic.name, `${value.length - decoded.offset} bytes too long`, { type })
    }
    decoded.value.type = type
    return decoded.value as unknown as E
  }

  // Concurrent records of one unknown schema share one request.
  function load(id: number): Promise<Reader> {
    const known = loading.get(id)
    if (known !== undefined) return known
    const request = loadReader(id).finally(() => loading.delete(id))
    loading.set(id, request)
    return request
  }

  // What cannot be read is not asked for again at each of its records: a foreign topic's worth of them may follow.
  async function loadReader(id: number): Promise<Reader> {
    const refused = refusals.get(id)
    if (refused !== undefined && performance.now() < refused.untilMs) throw refused.error
    try {
      const reader = readerOf(id, await registry.textOf(id))
      refusals.delete(id)
      readers.set(id, reader)
      return reader
    } catch (error) {
      if (isForGood(error)) {
        // A stream of made-up ids must not fill the memory.
        if (refusals.size >= MAX_REFUSALS) refusals.clear()
        refusals.set(id, { error, untilMs: performance.now() + unknownForMs })
      }
      throw error
    }
  }

  function readerOf(id: number, text: string | undefined): Reader {
    if (text === undefined) throw new SchemaUnknownError(topic.name, id)
    const written = compiled(id, text)
    const type = typeOfRecord.get(written.name ?? '')
    if (type === undefined) throw new EventTypeUnknownError(topic.name, written.name ?? written.typeName)
    const { avro, subject } = writerOf(type)
    try {
      return { type, avro, resolver: avro.createResolver(written) }
    } catch (error) {
      throw new SchemaIncompatibleError(subject, `a record's schema cannot be read: ${(error as Error).message}`)
    }
  }

  return {
    ready() {
      readying ??= makeReady().finally(() => {
        readying = undefined
      })
      return readying
    },

    encode(event) {
      const { avro, id, subject } = writerOf(event.type)
      if (id === undefined) {
        throw new SchemaNotRegisteredError(
          subject,
          register ? 'await ready() first.' : 'no producer has registered it.',
        )
      }
      let end: number
      try {
        end = write(avro, event)
      } catch (error) {
        throw error instanceof EventInvalidError ? error : new EventInvalidError(event.type, problemsOf(avro, event))
      }
      scratch[0] = 0
      scratch.writeUInt32BE(id, 1)
      return Buffer.from(scratch.subarray(0, end))
    },

    decode(value) {
      if (value.length < HEAD_BYTES) throw new EventMalformedError(topic.name, `only ${value.length} bytes long`)
      if (value[0] !== 0) throw new EventMalformedError(topic.name, `it starts with byte ${value[0]}, not with 0`)
      if (value.length > MAX_EVENT_BYTES)
        throw new EventMalformedError(topic.name, `longer than ${MAX_EVENT_BYTES} bytes`)
      const id = value.readUInt32BE(1)
      const reader = readers.get(id)
      return reader === undefined ? load(id).then((loaded) => read(loaded, value)) : read(reader, value)
    },
  }
}

function compiled(id: number, text: string): avsc.Type {
  try {
    return writerType(text)
  } catch (error) {
    throw new SchemaUnreadableError(id, (error as Error).message.split('\n')[0] ?? '')
  }
}

const isForGood = (error: unknown) =>
  error instanceof RollcallError && !error.retryable && !(error instanceof SchemaRegistryRefusedError)

// avsc writes without asking and throws at the first value that does not fit; only then is the whole event checked.
function problemsOf(avro: avsc.Type, event: unknown): string[] {
  const problems: string[] = []
  avro.isValid(event, {
    errorHook: (path, _value, type) => {
      if (problems.length < MAX_PROBLEMS) problems.push(`${path.join('.')} must be ${wordFor(type)}`)
    },
  })
  return problems.length > 0 ? problems : ['a value cannot be written']
}

function wordFor(type: avsc.Type): string {
  const { types, symbols } = type as { types?: readonly avsc.Type[]; symbols?: readonly string[] }
  if (types !== undefined) return types.map(wordFor).reverse().join(' or ')
  if (symbols !== undefined) return `one of ${symbols.join(', ')}`
  return WORDS[type.typeName] ?? type.name ?? type.typeName
}

const WORDS: Readonly<Record<string, string>> = {
  'logical:timestamp-millis': 'a valid Date',
  'logical:json': 'a JSON object',
  'logical:uuid': 'a UUID in lower case',
  long: 'a safe integer',
  array: 'an array',
}
