import type { EventFacts } from './topic.js'

export interface CloudEventOptions {
  /** Who speaks, as a URI reference, such as `/services/user-registry`. */
  readonly source: string
  /** W3C traceparent of the span that made the change. */
  readonly traceparent?: string | undefined
}

/**
 * The headers of an event's Kafka record: CloudEvents 1.0, Kafka protocol binding, binary content mode.
 * `ce_sequence` is the user's version, so that order can be checked without decoding. No header carries personal data.
 */
export function cloudEventHeaders(
  { type, eventId, tenantId, userId, version, occurredAt, correlationId }: EventFacts,
  { source, traceparent }: CloudEventOptions,
): Record<string, string> {
  const headers: Record<string, string> = {
    ce_specversion: '1.0',
    ce_id: eventId,
    ce_type: `io.rollcall.users.${type}`,
    ce_source: source,
    ce_subject: userId,
    ce_time: occurredAt.toISOString(),
    ce_sequence: String(version),
    ce_tenantid: tenantId,
    ce_correlationid: correlationId,
    'content-type': 'application/avro',
  }
  if (traceparent !== undefined) headers.traceparent = traceparent
  return headers
}

/** The user's version that a record carries, read from its headers; undefined when it carries none that is sane. */
export function sequenceOf(headers: Readonly<Record<string, Uint8Array | string | undefined>>): number | undefined {
  const header = headers.ce_sequence
  if (header === undefined || header.length === 0 || header.length > 15) return undefined
  let sequence = 0
  for (let i = 0; i < header.length; i++) {
    const digit = (typeof header === 'string' ? header.charCodeAt(i) : (header[i] ?? 0)) - 48
    if (digit < 0 || digit > 9) return undefined
    sequence = sequence * 10 + digit
  }
  return sequence
}
