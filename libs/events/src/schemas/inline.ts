import { type AvroNamed, type AvroRecord, type AvroSchema, fullName } from '../avro-schema.js'
import { SchemaSourceInvalidError } from './schema-source-invalid-error.js'

const PRIMITIVES = new Set(['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'])

/**
 * Makes a record self-contained: the first use of a named type becomes its definition, later uses its full name. Schema
 * references would keep the files apart in the registry too, but not every client can read them.
 *
 * @throws SchemaSourceInvalidError when a type is nowhere defined.
 */
export function inline(record: AvroRecord, byName: ReadonlyMap<string, AvroNamed>, file: string): AvroRecord {
  const defined = new Set<string>()

  const expand = (schema: AvroSchema, namespace: string | undefined): AvroSchema => {
    if (typeof schema === 'string') return PRIMITIVES.has(schema) ? schema : define(schema, namespace)
    if (Array.isArray(schema)) return schema.map((branch) => expand(branch, namespace))
    const definition = schema as Exclude<AvroSchema, string | readonly AvroSchema[]>
    if (definition.type === 'array') return { ...definition, items: expand(definition.items, namespace) }
    if (definition.type === 'record' || definition.type === 'enum') {
      throw new SchemaSourceInvalidError(file, `${definition.name} is defined inside; give it a file of its own`)
    }
    return definition
  }

  const define = (name: string, namespace: string | undefined): AvroSchema => {
    const full = name.includes('.') || namespace === undefined ? name : `${namespace}.${name}`
    if (defined.has(full)) return full
    const source = byName.get(full)
    if (source === undefined) throw new SchemaSourceInvalidError(file, `the type ${full} is not defined in any file`)
    if (source.type === 'record') return expandRecord(source)
    defined.add(full)
    return source
  }

  const expandRecord = (source: AvroRecord): AvroRecord => {
    defined.add(fullName(source))
    return {
      ...source,
      fields: source.fields.map((field) => ({ ...field, type: expand(field.type, source.namespace) })),
    }
  }

  return expandRecord(record)
}
