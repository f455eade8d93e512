/** How sensitive a value is: nothing, an identifier without the person, personal data, personal data of a special category. */
export type DataClass = 'none' | 'pseudonym' | 'pii' | 'special'

/** An Avro schema: the name of a type, a union, or a definition. */
export type AvroSchema = string | readonly AvroSchema[] | AvroDefinition

/** Maps are left out: an array of pairs, or the logical type `json`, says the same and can be bounded when it is read. */
export type AvroDefinition = AvroRecord | AvroEnum | AvroArray | AvroPrimitive

export interface AvroRecord {
  readonly type: 'record'
  readonly name: string
  readonly namespace?: string
  readonly doc?: string
  readonly 'rollcall.class'?: DataClass
  readonly fields: readonly AvroField[]
}

export interface AvroField {
  readonly name: string
  readonly type: AvroSchema
  readonly doc?: string
  readonly default?: unknown
  readonly 'rollcall.class'?: DataClass
}

export interface AvroEnum {
  readonly type: 'enum'
  readonly name: string
  readonly namespace?: string
  readonly doc?: string
  readonly 'rollcall.class'?: DataClass
  readonly symbols: readonly string[]
  readonly default?: string
}

export interface AvroArray {
  readonly type: 'array'
  readonly items: AvroSchema
}

export interface AvroPrimitive {
  readonly type: 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string'
  readonly logicalType?: string
}

/** A type with a name: what one `.avsc` file holds. */
export type AvroNamed = AvroRecord | AvroEnum

/** The full name of a named type: namespace and name. */
export function fullName({ namespace, name }: AvroNamed): string {
  return namespace === undefined ? name : `${namespace}.${name}`
}
