import { avroType } from './codec/avro-type.js'
import { writerType } from './codec/writer-type.js'
import { usersCorpus } from './generated/users-corpus.js'
import type { Topic } from './topic.js'

/** Events of one registered schema version, encoded when it was frozen. */
export interface CorpusEntry {
  /** Name of the event. */
  readonly type: string
  /** Full Avro name. */
  readonly recordName: string
  /** Number of the frozen version, `schemas/registered/<type>/<version>.avsc`. */
  readonly version: number
  /** The schema as it was registered, as text. */
  readonly schema: string
  /** Avro values in base64, without the frame of a record. */
  readonly values: readonly string[]
}

/** One event of the corpus, as today's build reads it. */
export interface CorpusEvent<E> {
  readonly type: string
  readonly schemaVersion: number
  readonly event: E
}

/** Every schema version ever registered, with events of each. */
export const schemaCorpus: readonly CorpusEntry[] = usersCorpus

/**
 * The events that a replay of the topic may meet, of every schema version ever registered, read with today's schemas.
 *
 * @param corpus @default the one of this build
 * @throws Error when one cannot be read any more.
 */
export function corpusOf<E extends { readonly type: string }>(
  topic: Topic<E>,
  corpus: readonly CorpusEntry[] = schemaCorpus,
): CorpusEvent<E>[] {
  return Object.entries<string>(topic.recordNames).flatMap(([type, recordName]) => {
    const reader = avroType(topic.schemas[type as E['type']])
    return corpus
      .filter((entry) => entry.recordName === recordName)
      .flatMap(({ schema, version, values }) => {
        const resolver = reader.createResolver(writerType(schema))
        return values.map((value) => {
          const event = { ...reader.fromBuffer(Buffer.from(value, 'base64'), resolver), type } as E
          return { type, schemaVersion: version, event }
        })
      })
  })
}
