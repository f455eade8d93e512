import type { AvroNamed, AvroRecord, AvroSchema, Topic } from '@rollcall/events'

/** Stands for a value that is not shown. */
export const MASK = '•••'

/**
 * The event with every value masked whose field is classified `pii` or `special` in its schema; the shape stays, and so
 * do the names of attributes. A field added to the schemas later is masked without a change here.
 */
export function maskPersonalData<E extends { readonly type: string }>(event: E, topic: Topic<E>): unknown {
  const schema: AvroRecord = topic.schemas[event.type as E['type']]
  return { type: event.type, ...(masked(event, schema, namedTypesOf(schema), false) as object) }
}

type NamedTypes = ReadonlyMap<string, AvroNamed>

function masked(value: unknown, schema: AvroSchema, named: NamedTypes, isPersonal: boolean): unknown {
  if (value === null || value === undefined) return value
  const definition = typeof schema === 'string' ? (named.get(schema) ?? schema) : schema
  if (typeof definition === 'string') return isPersonal ? hidden(value) : value
  if (isUnion(definition)) {
    const branches = definition.filter((branch) => branch !== 'null')
    const [only] = branches
    return branches.length === 1 && only !== undefined ? masked(value, only, named, isPersonal) : hidden(value)
  }
  switch (definition.type) {
    case 'record':
      return Object.fromEntries(
        definition.fields.map((field) => [
          field.name,
          masked((value as Record<string, unknown>)[field.name], field.type, named, isPersonalField(field)),
        ]),
      )
    case 'array':
      return (value as readonly unknown[]).map((item) => masked(item, definition.items, named, isPersonal))
    default:
      return isPersonal ? hidden(value) : value
  }
}

// Fails closed: a field whose class is missing counts as personal.
const isPersonalField = (field: { readonly 'rollcall.class'?: string }) =>
  field['rollcall.class'] !== 'none' && field['rollcall.class'] !== 'pseudonym'

const hidden = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && !(value instanceof Date)
    ? Object.fromEntries(Object.keys(value).map((key) => [key, MASK]))
    : MASK

function namedTypesOf(schema: AvroSchema, found = new Map<string, AvroNamed>()): NamedTypes {
  if (typeof schema === 'string') return found
  if (isUnion(schema)) {
    for (const branch of schema) namedTypesOf(branch, found)
  } else if (schema.type === 'record' || schema.type === 'enum') {
    found.set(schema.namespace === undefined ? schema.name : `${schema.namespace}.${schema.name}`, schema)
    found.set(schema.name, schema)
    if (schema.type === 'record') for (const field of schema.fields) namedTypesOf(field.type, found)
  } else if (schema.type === 'array') {
    namedTypesOf(schema.items, found)
  }
  return found
}

const isUnion = (schema: AvroSchema): schema is readonly AvroSchema[] => Array.isArray(schema)
