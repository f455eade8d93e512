import { cloudEventHeaders, type EventCodec, type UserLifecycleEvent } from '@rollcall/events'
import { encodeRecordBody } from '@rollcall/kafka'
import { currentTraceparent } from '@rollcall/observability'

/** CloudEvents `source` of everything the registry says. */
export const EVENT_SOURCE = '/services/user-registry'

/** The bytes an event will be on the topic: key, value and headers; the relay moves them as they are. */
export function encodeUserRecord(
  event: UserLifecycleEvent,
  codec: Pick<EventCodec<UserLifecycleEvent>, 'encode'>,
): Buffer {
  return encodeRecordBody({
    key: event.userId,
    value: codec.encode(event),
    headers: cloudEventHeaders(event, { source: EVENT_SOURCE, traceparent: currentTraceparent() }),
  })
}
