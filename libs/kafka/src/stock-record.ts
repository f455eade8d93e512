import type { Batch, StockMessage } from './kafkajs/internals.js'
import type { KafkaRecord } from './record.js'
import { FetchedRecords } from './wire/fetch-response.js'

/** The records of a batch, whichever decoder made them. */
export function toRecords(messages: readonly StockMessage[]): readonly KafkaRecord[] {
  return (messages as unknown) instanceof FetchedRecords
    ? (messages as unknown as FetchedRecords).records
    : messages.map((message) => ({
        offset: Number(message.offset),
        timestampMs: Number(message.timestamp),
        key: message.key,
        value: message.value,
        producerId: Number(message.batchContext?.producerId ?? -1),
        get headers() {
          return headersOf(message)
        },
      }))
}

/**
 * The offset after everything that was fetched, also when what is at the end is compacted away, aborted or a control
 * record; undefined when nothing was fetched.
 */
export function nextOffsetAfter({ rawMessages }: Pick<Batch, 'rawMessages'>): number | undefined {
  const { nextOffset } = rawMessages as { nextOffset?: number }
  if (nextOffset !== undefined) return nextOffset
  const last = rawMessages[rawMessages.length - 1]
  if (last === undefined) return undefined
  const batch = last.batchContext
  return batch === undefined ? Number(last.offset) + 1 : Number(batch.firstOffset) + batch.lastOffsetDelta + 1
}

function headersOf({ headers }: StockMessage): Record<string, Buffer> {
  const plain: Record<string, Buffer> = Object.create(null)
  for (const [name, value] of Object.entries(headers)) {
    const last = Array.isArray(value) ? value[value.length - 1] : value
    plain[name] = Buffer.from(last ?? '')
  }
  return plain
}
