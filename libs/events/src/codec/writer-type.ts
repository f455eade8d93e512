import avsc from 'avsc'
import { avroType } from './avro-type.js'

/** Bounds of a schema that records are read with; ours has 5 levels and about 70 nodes. */
export const WRITER_SCHEMA_LIMITS = {
  /** Bytes of its text. */
  bytes: 1_048_576,
  depth: 32,
  /** Types, spread out: a named type counts wherever it is used. */
  nodes: 10_000,
} as const

/**
 * Compiles a schema that somebody else wrote. What passes is read in time and memory that the bytes of a record justify:
 * every value takes at least one byte, so that no record holds more values than bytes, and none nests without end.
 *
 * @throws Error saying why records of this schema are not read.
 */
export function writerType(text: string): avsc.Type {
  const type = compile(text)
  measure(type, { nodes: new Map(), open: new Set() }, 0)
  return type
}

function compile(text: string): avsc.Type {
  try {
    return avroType(JSON.parse(text))
  } catch (error) {
    const { name } = error as Error
    if (name === 'SyntaxError') throw new TypeError('it is not JSON')
    throw name === 'RangeError' ? new RangeError('it nests too deep') : error
  }
}

interface Walk {
  /** Of each type that was walked through. */
  readonly nodes: Map<avsc.Type, number>
  /** The records around the type at hand. */
  readonly open: Set<avsc.Type>
}

/** The nodes of a type, spread out. Walks through each type once, so that a schema of few bytes cannot make it long. */
function measure(type: avsc.Type, walk: Walk, depth: number): number {
  if (depth > WRITER_SCHEMA_LIMITS.depth)
    throw new RangeError(`it nests deeper than ${WRITER_SCHEMA_LIMITS.depth} levels`)
  const known = walk.nodes.get(type)
  if (known !== undefined) return known
  if (walk.open.has(type)) throw new TypeError(`its ${type.name} refers to itself`)
  walk.open.add(type)
  const parts = partsOf(type)
  let nodes = 1
  for (const part of parts) {
    nodes += measure(part, walk, depth + 1)
    if (nodes > WRITER_SCHEMA_LIMITS.nodes) {
      throw new RangeError(`it has more than ${WRITER_SCHEMA_LIMITS.nodes} types, spread out`)
    }
  }
  walk.open.delete(type)
  walk.nodes.set(type, nodes)
  return nodes
}

/** @throws TypeError when a value of the type may take no bytes: a record of few bytes could claim any number of them. */
function partsOf(type: avsc.Type): readonly avsc.Type[] {
  const { types, itemsType, underlyingType } = type as avsc.Type & Parts
  if (type instanceof avsc.types.RecordType) {
    if (type.fields.length === 0) throw new TypeError(`its record ${type.name} has no fields`)
    return type.fields.map((field) => field.type)
  }
  if (type instanceof avsc.types.FixedType && type.size === 0) throw new TypeError(`its ${type.name} takes no bytes`)
  if (type instanceof avsc.types.NullType) throw new TypeError('it has a null outside of a union, which takes no bytes')
  // The number of the branch takes a byte: null may stand in a union.
  if (types !== undefined) return types.filter((branch) => !(branch instanceof avsc.types.NullType))
  return [itemsType, underlyingType].filter((part) => part !== undefined)
}

/** What unions, arrays and logical types are made of. */
interface Parts {
  readonly types?: readonly avsc.Type[]
  readonly itemsType?: avsc.Type
  readonly underlyingType?: avsc.Type
}
