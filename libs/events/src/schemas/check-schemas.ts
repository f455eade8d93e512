import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type AvroNamed, type AvroRecord, type AvroSchema, type DataClass, fullName } from '../avro-schema.js'
import { avroType } from '../codec/avro-type.js'
import { generateTypes } from './generate-types.js'
import { type EventSource, type Schemas, samplesFile } from './load-schemas.js'
import { withoutDocs } from './without-docs.js'

/** One thing wrong with the contracts: where, and what to do. */
export interface SchemaProblem {
  readonly rule: 'classified' | 'documented' | 'compatible' | 'frozen' | 'corpus' | 'generated'
  readonly file: string
  readonly problem: string
}

/** The folder of generated types in this package's sources. */
export const GENERATED_DIRECTORY = fileURLToPath(new URL('../../src/generated', import.meta.url))

// From the least sensitive to the most.
const CLASSES: readonly DataClass[] = ['none', 'pseudonym', 'pii', 'special']

/**
 * Checks the contracts: every field classified, no lower than what it holds, and documented; every event compatible with every version ever registered, both ways
 * (FULL_TRANSITIVE: a replay reads the oldest record, an old consumer the newest); the current form frozen; events of every
 * frozen version in the corpus, and read by the current form; the generated types up to date.
 *
 * @returns every problem; none when all is well.
 */
export function checkSchemas(schemas: Schemas, generatedDirectory = GENERATED_DIRECTORY): SchemaProblem[] {
  return [
    ...unclassified(schemas),
    ...misclassified(schemas),
    ...undocumented(schemas),
    ...schemas.events.flatMap((event) => [...incompatible(event), ...unfrozen(event), ...unread(event)]),
    ...outdated(schemas, generatedDirectory),
  ]
}

function unclassified({ sources }: Schemas): SchemaProblem[] {
  return [...sources].flatMap(([file, source]) => {
    const named = [
      ...(source.type === 'record' ? source.fields.map((field) => ({ what: `field ${field.name}`, of: field })) : []),
      { what: `type ${source.name}`, of: source },
    ]
    return named.flatMap(({ what, of }): SchemaProblem[] => {
      const found = of['rollcall.class']
      if (found !== undefined && CLASSES.includes(found)) return []
      const problem = `${what} has ${found === undefined ? 'no "rollcall.class"' : `the unknown class ${JSON.stringify(found)}`}; say none, pseudonym, pii or special`
      return [{ rule: 'classified', file, problem }]
    })
  })
}

// A class on an outer field is a promise about everything inside: one that is too low would hide what is below it.
function misclassified({ sources }: Schemas): SchemaProblem[] {
  const byName = new Map([...sources.values()].map((source) => [fullName(source), source]))
  return [...sources].flatMap(([file, source]) => {
    if (source.type !== 'record') return []
    const highest = Math.max(...source.fields.map(levelOf))
    const low = source.fields.flatMap((field) =>
      namesIn(field.type, source)
        .filter((name) => levelOf(field) < levelOf(byName.get(name)))
        .map(
          (name) =>
            `field ${field.name} is ${field['rollcall.class']}, but holds ${name}, which is ${CLASSES[levelOf(byName.get(name))]}`,
        ),
    )
    const type =
      levelOf(source) === highest
        ? []
        : [`type ${source.name} must be ${CLASSES[highest]}, like the highest of its fields`]
    return [...low, ...type].map((problem): SchemaProblem => ({ rule: 'classified', file, problem }))
  })
}

const levelOf = (classified: { 'rollcall.class'?: DataClass } | undefined) =>
  CLASSES.indexOf(classified?.['rollcall.class'] ?? 'none')

function namesIn(type: AvroSchema, scope: Pick<AvroNamed, 'namespace'>): string[] {
  if (typeof type === 'string') {
    return [type.includes('.') || scope.namespace === undefined ? type : `${scope.namespace}.${type}`]
  }
  if (Array.isArray(type)) return type.flatMap((branch: AvroSchema) => namesIn(branch, scope))
  return 'items' in type ? namesIn(type.items, scope) : []
}

function undocumented({ sources }: Schemas): SchemaProblem[] {
  return [...sources].flatMap(([file, source]) =>
    [source, ...(source.type === 'record' ? source.fields : [])]
      .filter(({ doc }) => !doc?.trim())
      .map(
        ({ name }): SchemaProblem => ({ rule: 'documented', file, problem: `${name} has no "doc"; say what it means` }),
      ),
  )
}

function incompatible({ schema, frozen, file }: EventSource): SchemaProblem[] {
  const current = avroType(schema)
  return frozen.flatMap((old): SchemaProblem[] => {
    const before = avroType(old.schema)
    const broken = (problem: string): SchemaProblem => ({ rule: 'compatible', file, problem })
    const backward = resolves(current, before)
    const forward = resolves(before, current)
    return [
      ...(backward === undefined
        ? []
        : [
            broken(
              `cannot read records written as version ${old.version}: ${backward}. Give new fields a default; never change the type of an old one`,
            ),
          ]),
      ...(forward === undefined
        ? []
        : [
            broken(
              `readers of version ${old.version} cannot read it: ${forward}. Only fields with a default may go; never change the type of one`,
            ),
          ]),
    ]
  })
}

type Type = ReturnType<typeof avroType>

function resolves(reader: Type, writer: Type): string | undefined {
  try {
    reader.createResolver(writer)
    return undefined
  } catch (error) {
    return (error as Error).message.split('\n')[0]
  }
}

function unfrozen({ name, schema, frozen, file }: EventSource): SchemaProblem[] {
  const broken = (problem: string): SchemaProblem => ({ rule: 'frozen', file, problem })
  const missing = frozen.findIndex(({ version }, index) => version !== index + 1)
  if (missing !== -1)
    return [broken(`schemas/registered/${name}/${missing + 1}.avsc is missing; a registered version stays`)]
  const newest = frozen.at(-1)
  if (newest !== undefined && sameShape(newest.schema, schema)) return []
  return [
    broken(
      `its present form is no registered version of ${name}; once it is final, \`npm run freeze -w libs/events\` writes version ${(newest?.version ?? 0) + 1}`,
    ),
  ]
}

// Schemas that resolve may still not read: a value of a logical type, say, that today's build refuses.
function unread({ name, schema, frozen }: EventSource): SchemaProblem[] {
  const current = avroType(schema)
  return frozen.flatMap((old): SchemaProblem[] => {
    const file = samplesFile(old.file)
    const broken = (problem: string): SchemaProblem[] => [{ rule: 'corpus', file, problem }]
    if (!old.samples?.length) {
      return broken(`holds no event of version ${old.version} of ${name}; \`npm run freeze -w libs/events\` writes it`)
    }
    const writer = avroType(old.schema)
    if (resolves(current, writer) !== undefined) return []
    const resolver = current.createResolver(writer)
    return old.samples.flatMap((sample, index) => {
      const bytes = Buffer.from(sample, 'base64')
      try {
        if (!writer.toBuffer(writer.fromBuffer(bytes)).equals(bytes))
          return broken(`line ${index + 1} is not what its version writes`)
        if (!current.isValid(current.fromBuffer(bytes, resolver)))
          return broken(`line ${index + 1} is read as what today's ${name} does not allow`)
        return []
      } catch (error) {
        return broken(`line ${index + 1} cannot be read by today's ${name}: ${(error as Error).message}`)
      }
    })
  })
}

/** True when a registry would give both one id: documentation aside they are the same text. */
export function sameShape(one: AvroRecord, other: AvroRecord): boolean {
  return JSON.stringify(withoutDocs(one)) === JSON.stringify(withoutDocs(other))
}

function outdated(schemas: Schemas, directory: string): SchemaProblem[] {
  return generateTypes(schemas).flatMap(({ name, text }): SchemaProblem[] =>
    readIfThere(join(directory, name)) === text
      ? []
      : [
          {
            rule: 'generated',
            file: `libs/events/src/generated/${name}`,
            problem: 'is not what the schemas say; run `npm run generate -w libs/events`',
          },
        ],
  )
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
