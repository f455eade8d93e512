import type { AvroArray, AvroDefinition, AvroPrimitive, AvroRecord, AvroSchema } from '../avro-schema.js'
import { avroType } from '../codec/avro-type.js'

/** How many events of each schema version a corpus holds: as many as the largest enum has symbols, so that each occurs. */
const SAMPLES = 4

/**
 * Events of a schema, made up from the schema alone and encoded with it: each symbol of each enum, each branch of each
 * union, and arrays of none, one and two items occur. Equal schemas give equal events.
 *
 * @returns Avro values without the frame of a record, in base64.
 */
export function sampleEvents(schema: AvroRecord): string[] {
  const type = avroType(schema)
  return Array.from({ length: SAMPLES }, (_, sample) => {
    const known = new Map<string, AvroDefinition>()
    return type.toBuffer(valueFor(schema, { sample, known, field: schema.name })).toString('base64')
  })
}

interface Place {
  readonly sample: number
  /** Named types met before; later uses name them. */
  readonly known: Map<string, AvroDefinition>
  readonly field: string
  readonly namespace?: string | undefined
}

function valueFor(schema: AvroSchema, place: Place): unknown {
  const { sample, known, namespace } = place
  if (typeof schema === 'string') {
    const named = known.get(schema) ?? known.get(`${namespace}.${schema}`)
    return named === undefined ? primitiveOf({ type: schema as AvroPrimitive['type'] }, place) : valueFor(named, place)
  }
  if (isUnion(schema)) {
    // The richest branch in the first sample: null is the first one written.
    const branch = schema[(schema.length - 1 + sample) % schema.length]
    return branch === undefined ? null : valueFor(branch, place)
  }
  switch (schema.type) {
    case 'record':
      known.set(`${schema.namespace ?? namespace}.${schema.name}`, schema)
      return recordOf(schema, place)
    case 'enum':
      known.set(`${schema.namespace ?? namespace}.${schema.name}`, schema)
      return schema.symbols[sample % schema.symbols.length]
    case 'array':
      return arrayOf(schema, place)
    default:
      return primitiveOf(schema, place)
  }
}

const isUnion = (schema: AvroSchema): schema is readonly AvroSchema[] => Array.isArray(schema)

function recordOf({ fields, namespace }: AvroRecord, place: Place): Record<string, unknown> {
  const inside = { ...place, namespace: namespace ?? place.namespace }
  return Object.fromEntries(fields.map(({ name, type }) => [name, valueFor(type, { ...inside, field: name })]))
}

// Every type inside must be met once, or a later name means nothing: items are made even where none are kept.
function arrayOf({ items }: AvroArray, place: Place): unknown[] {
  const made = [0, 1].map((index) => valueFor(items, { ...place, sample: place.sample + index }))
  return made.slice(0, (place.sample + 2) % 3)
}

function primitiveOf({ type, logicalType }: AvroPrimitive, { sample, field }: Place): unknown {
  if (logicalType === 'timestamp-millis') return new Date(Date.UTC(2026, 0, 1 + sample))
  if (logicalType === 'json') return sample === 1 ? {} : { [field]: ['é', sample, { deep: null }] }
  // One user and one tenant per event, whatever the field is called.
  if (logicalType === 'uuid') return `00000000-0000-4000-8000-${String(1 + sample).padStart(12, '0')}`
  switch (type) {
    case 'null':
      return null
    case 'boolean':
      return sample % 2 === 0
    case 'int':
    case 'long':
      return 1 + sample
    case 'float':
    case 'double':
      return sample + 0.5
    case 'bytes':
      return Buffer.from(field)
    default:
      return `${field} ${sample} é 山`
  }
}
