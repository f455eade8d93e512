import type { AvroSchema } from '../avro-schema.js'

/** A schema as a registry compares it: without documentation, its members in one order. */
export function withoutDocs(schema: AvroSchema): unknown {
  if (typeof schema === 'string') return schema
  if (Array.isArray(schema)) return schema.map((one: AvroSchema) => withoutDocs(one))
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([key]) => key !== 'doc')
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => [
        key,
        typeof value === 'object' && value !== null ? withoutDocs(value as AvroSchema) : value,
      ]),
  )
}
