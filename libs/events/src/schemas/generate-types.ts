import { type AvroField, type AvroNamed, type AvroSchema, fullName } from '../avro-schema.js'
import type { EventSource, Schemas, TopicSource } from './load-schemas.js'
import { SchemaSourceInvalidError } from './schema-source-invalid-error.js'
import { withoutDocs } from './without-docs.js'

/** A generated file: its name under `libs/events/src/generated`, and its whole text. */
export interface GeneratedFile {
  readonly name: string
  readonly text: string
}

const PRIMITIVES: Readonly<Record<string, string>> = {
  null: 'null',
  boolean: 'boolean',
  int: 'number',
  long: 'number',
  float: 'number',
  double: 'number',
  bytes: 'Buffer',
  string: 'string',
}
const LOGICAL: Readonly<Record<string, string>> = { 'timestamp-millis': 'Date', json: 'JsonObject', uuid: 'string' }

/**
 * Generates two TypeScript files per topic. The first: a type per record and enum, the union of the topic's events, discriminated by
 * `type`, and the self-contained schemas that the codec writes with. The second: events of every registered version.
 *
 * Types, not interfaces: only a type alias can be assigned to an index signature, as JSON columns want.
 */
export function generateTypes({ topics, sources, events }: Schemas): GeneratedFile[] {
  return topics.flatMap((topic) => {
    const named = [...sources].filter(([file]) => file.startsWith(`${topic.folder}/`))
    const types = named.map(([file, source]) => declaration(file, source))
    const schemas = events.filter((event) => event.topic === topic.name)
    const text = [
      '// Generated from schemas/ by `npm run generate -w libs/events`. Do not edit.',
      importsOf(types.join('\n')),
      ...types,
      unionOf(topic),
      `/** The schemas of ${topic.name}, each self-contained. */
export const ${topic.schemas}: Readonly<Record<${topic.event}['type'], AvroRecord>> = ${JSON.stringify(
        Object.fromEntries(schemas.map(({ name, schema }) => [name, schema])),
        null,
        2,
      )}`,
    ].join('\n\n')
    return [{ name: `${topic.folder}.ts`, text: `${text}\n` }, corpusFile(topic, schemas)]
  })
}

function corpusFile({ name, folder }: TopicSource, events: readonly EventSource[]): GeneratedFile {
  const entries = events.flatMap((event) =>
    event.frozen.map(({ version, schema, samples = [] }) => ({
      type: event.name,
      recordName: fullName(schema),
      version,
      schema: JSON.stringify(withoutDocs(schema)),
      values: samples,
    })),
  )
  const text = `// Generated from schemas/registered by \`npm run generate -w libs/events\`. Do not edit.

import type { CorpusEntry } from '../corpus.js'

/** Events of every schema version that ${name} was ever written with. */
export const ${folder}Corpus: readonly CorpusEntry[] = ${JSON.stringify(entries, null, 2)}
`
  return { name: `${folder}-corpus.ts`, text }
}

function importsOf(types: string): string {
  const json = types.includes('JsonObject') ? ["import type { JsonObject } from '../json.js'"] : []
  return ["import type { AvroRecord } from '../avro-schema.js'", ...json].join('\n')
}

function declaration(file: string, source: AvroNamed): string {
  const head = `${comment(source.doc, '')}export type ${source.name} =`
  if (source.type === 'enum') return `${head} ${source.symbols.map((symbol) => `'${symbol}'`).join(' | ')}`
  const fields = source.fields.map((field) => fieldOf(file, source.namespace, field))
  return `${head} {\n${fields.join('\n')}\n}`
}

function fieldOf(file: string, namespace: string | undefined, { name, type, doc }: AvroField): string {
  return `${comment(doc, '  ')}  readonly ${name}: ${typeOf(file, namespace, type)}`
}

function typeOf(file: string, namespace: string | undefined, schema: AvroSchema): string {
  if (typeof schema === 'string') return PRIMITIVES[schema] ?? localName(file, namespace, schema)
  if (Array.isArray(schema)) {
    // null last reads better than the order Avro wants for the default.
    const branches = schema.map((branch) => typeOf(file, namespace, branch))
    return [...branches.filter((branch) => branch !== 'null'), ...branches.filter((branch) => branch === 'null')].join(
      ' | ',
    )
  }
  const definition = schema as Exclude<AvroSchema, string | readonly AvroSchema[]>
  switch (definition.type) {
    case 'array':
      return `readonly ${parenthesized(typeOf(file, namespace, definition.items))}[]`
    case 'record':
    case 'enum':
      return localName(file, namespace, fullName(definition))
    default:
      return (definition.logicalType && LOGICAL[definition.logicalType]) ?? PRIMITIVES[definition.type] ?? 'never'
  }
}

const parenthesized = (type: string) => (type.includes('|') ? `(${type})` : type)

function localName(file: string, namespace: string | undefined, name: string): string {
  const dot = name.lastIndexOf('.')
  if (dot >= 0 && name.slice(0, dot) !== namespace) {
    throw new SchemaSourceInvalidError(file, `${name} is of another namespace; a topic's types live in one`)
  }
  return name.slice(dot + 1)
}

function unionOf({ name, event, records }: TopicSource): string {
  const branches = records.map((record) => `  | ({ readonly type: '${record}' } & ${record})`)
  return `/** Every event of ${name}. */\nexport type ${event} =\n${branches.join('\n')}`
}

const comment = (doc: string | undefined, indent: string) =>
  doc ? `${indent}/** ${doc.replaceAll('*/', '* /')} */\n` : ''
