import { type AvroRecord, fullName } from './avro-schema.js'

/** What every event of Rollcall carries, whatever it is about. */
export interface EventFacts {
  readonly type: string
  readonly eventId: string
  readonly tenantId: string
  readonly userId: string
  readonly version: number
  readonly occurredAt: Date
  readonly correlationId: string
}

/** A Kafka topic, typed by the events it carries. */
export interface Topic<E extends { readonly type: string }> {
  readonly name: string
  readonly schemas: Readonly<Record<E['type'], AvroRecord>>
  /** Full Avro name of each event type. */
  readonly recordNames: Readonly<Record<E['type'], string>>
  /** The key of the event's Kafka record; records with equal keys keep their order. */
  key(event: E): string
}

/** Defines a topic from its generated schemas. */
export function defineTopic<E extends { readonly type: string }>({
  name,
  schemas,
  key,
}: Pick<Topic<E>, 'name' | 'schemas' | 'key'>): Topic<E> {
  const names = Object.entries<AvroRecord>(schemas).map(([type, schema]) => [type, fullName(schema)])
  return { name, schemas, key, recordNames: Object.fromEntries(names) as Record<E['type'], string> }
}
