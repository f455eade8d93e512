import { readdirSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type AvroNamed, type AvroRecord, fullName } from '../avro-schema.js'
import { inline } from './inline.js'
import { SchemaSourceInvalidError } from './schema-source-invalid-error.js'

/** One topic as `topic.json` in a folder of `schemas/` describes it. */
export interface TopicSource {
  /** The Kafka topic. */
  readonly name: string
  /** The TypeScript union of the topic's events. */
  readonly event: string
  /** The TypeScript constant that holds the topic's schemas. */
  readonly schemas: string
  /** Names of the topic's event records, in the order of the union. */
  readonly records: readonly string[]
  /** The folder, and the name of the generated file. */
  readonly folder: string
}

/** A version that was registered once, and must be readable for ever. */
export interface FrozenSchema {
  readonly version: number
  readonly file: string
  readonly schema: AvroRecord
  /** Events encoded with it, in base64; undefined when there is no `<version>.events` beside it. */
  readonly samples: readonly string[] | undefined
}

export interface EventSource {
  readonly name: string
  readonly topic: string
  /** The file that holds the event, relative to `schemas/`. */
  readonly file: string
  /** Self-contained: every named type is defined where it is first used. */
  readonly schema: AvroRecord
  readonly frozen: readonly FrozenSchema[]
}

export interface Schemas {
  readonly directory: string
  readonly topics: readonly TopicSource[]
  /** Every `.avsc` source by file, in the order of their names. */
  readonly sources: ReadonlyMap<string, AvroNamed>
  readonly events: readonly EventSource[]
}

/**
 * Reads the contracts: `schemas/<folder>/topic.json`, `schemas/<folder>/<Name>.avsc` and the frozen history
 * `schemas/registered/<Event>/<version>.avsc`, with events of each version in `<version>.events`.
 *
 * @param directory the `schemas` folder. @default the one of this repository
 * @throws SchemaSourceInvalidError
 */
export function loadSchemas(directory = fileURLToPath(new URL('../../../../schemas', import.meta.url))): Schemas {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((file) => file.split(sep).join('/'))
    .sort()
  const sources = new Map<string, AvroNamed>()
  const topics: TopicSource[] = []
  for (const file of files.filter((one) => !one.startsWith('registered/'))) {
    const [folder = '', name = ''] = file.split('/')
    if (name === 'topic.json') topics.push({ ...readTopic(directory, file), folder })
    if (name.endsWith('.avsc')) sources.set(file, readNamed(directory, file))
  }
  const byName = new Map([...sources.values()].map((source) => [fullName(source), source]))
  const events = topics.flatMap(({ name: topic, folder, records }) =>
    records.map((name) => {
      const file = `${folder}/${name}.avsc`
      const source = sources.get(file)
      if (source?.type !== 'record') throw new SchemaSourceInvalidError(file, `no such record, but ${topic} lists it`)
      return { name, topic, file, schema: inline(source, byName, file), frozen: readFrozen(directory, files, name) }
    }),
  )
  return { directory, topics, sources, events }
}

function readTopic(directory: string, file: string): Omit<TopicSource, 'folder'> {
  const { name, event, schemas, records } = readJson(directory, file) as Partial<TopicSource>
  if (typeof name !== 'string' || typeof event !== 'string' || typeof schemas !== 'string' || !Array.isArray(records)) {
    throw new SchemaSourceInvalidError(file, 'expected { name, event, schemas, records }')
  }
  return { name, event, schemas, records }
}

function readNamed(directory: string, file: string): AvroNamed {
  const source = readJson(directory, file) as AvroNamed
  if (source.type !== 'record' && source.type !== 'enum') {
    throw new SchemaSourceInvalidError(file, 'expected one record or one enum')
  }
  if (!file.endsWith(`/${source.name}.avsc`)) {
    throw new SchemaSourceInvalidError(file, `holds ${source.name}; a file has the name of its type`)
  }
  return source
}

function readFrozen(directory: string, files: readonly string[], event: string): FrozenSchema[] {
  return files
    .flatMap((file) => {
      const [, name, version] = /^registered\/(\w+)\/(\d+)\.avsc$/.exec(file) ?? []
      if (name !== event || version === undefined) return []
      const schema = readJson(directory, file) as AvroRecord
      return [{ version: Number(version), file, schema, samples: readSamples(directory, samplesFile(file), files) }]
    })
    .sort((a, b) => a.version - b.version)
}

/** Where the events of a frozen version stand. */
export const samplesFile = (schemaFile: string) => schemaFile.replace(/\.avsc$/, '.events')

function readSamples(directory: string, file: string, files: readonly string[]): string[] | undefined {
  return files.includes(file) ? readFileSync(join(directory, file), 'utf8').split('\n').filter(Boolean) : undefined
}

function readJson(directory: string, file: string): unknown {
  try {
    return JSON.parse(readFileSync(join(directory, file), 'utf8'))
  } catch (error) {
    throw new SchemaSourceInvalidError(file, `not JSON: ${(error as Error).message}`, error)
  }
}
