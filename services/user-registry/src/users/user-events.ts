import type { Sql } from '@rollcall/database'
import type { EventCodec, UserLifecycleEvent } from '@rollcall/events'
import { decodeRecordBody } from '@rollcall/kafka'
import { readArchive } from '@rollcall/outbox'
import { UserEventsGoneError } from './user-errors.js'

export interface ArchivedEvent {
  version: number
  eventId: string
  type: UserLifecycleEvent['type']
  occurredAt: string
  /** The value of the record, in base64. */
  value: string
}

/**
 * The events of one user from version to version, inclusive, as they stand in the outbox archive.
 *
 * @throws UserEventsGoneError when one of them is not there
 */
export async function userEvents(
  sql: Sql,
  codec: Pick<EventCodec<UserLifecycleEvent>, 'decode'>,
  userId: string,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<{ items: ArchivedEvent[] }> {
  const limit = to - from + 1
  const archived = await readArchive(sql, userId, { afterVersion: from - 1, limit })
  const items: ArchivedEvent[] = []
  for (const { record, version } of archived) {
    const { value } = decodeRecordBody(record)
    if (value === null || version !== from + items.length) break
    items.push(toArchivedEvent(await codec.decode(value), value))
  }
  if (items.length < limit) throw new UserEventsGoneError(userId, from + items.length)
  return { items }
}

export const toArchivedEvent = (
  { version, eventId, type, occurredAt }: UserLifecycleEvent,
  value: Buffer,
): ArchivedEvent => ({ version, eventId, type, occurredAt: occurredAt.toISOString(), value: value.toString('base64') })
