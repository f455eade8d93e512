import type { Topic } from '../topic.js'

export interface CodecOptions {
  /** Base address of a registry with the Confluent API, such as http://127.0.0.1:18081/apis/ccompat/v7. */
  readonly schemaRegistryUrl: string
  /** Register the schemas that are missing; producers do, consumers need not. @default false */
  readonly register?: boolean
}

/** Turns the events of one topic into bytes and back. */
export interface EventCodec<E> {
  ready(): Promise<void>
  encode(event: E): Buffer
  decode(value: Buffer): E | Promise<E>
}

export function createCodec<E extends { readonly type: string }>(
  topic: Topic<E>,
  options: CodecOptions,
): EventCodec<E> {
  throw new Error(`${topic.name} ${options.schemaRegistryUrl}`)
}
