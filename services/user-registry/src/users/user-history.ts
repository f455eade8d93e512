import type { Sql } from '@rollcall/database'
import type { EventCodec, UserLifecycleEvent } from '@rollcall/events'
import { CursorInvalidError } from '@rollcall/http'
import { decodeRecordBody } from '@rollcall/kafka'
import { readArchive } from '@rollcall/outbox'
import { type PublicUser, toPublicUser } from './public-user.js'

export interface HistoryEntry {
  version: number
  type: UserLifecycleEvent['type']
  eventId: string
  at: string
  actor: UserLifecycleEvent['actor']
  changed: readonly string[]
  correlationId: string
  causationId?: string
  /** The user after the change. */
  user: PublicUser
}

export interface UserHistoryOptions {
  readonly limit: number
  readonly cursor?: string | undefined
}

/**
 * The events of one user as they went out, oldest first, as far back as the outbox archive reaches.
 *
 * @throws CursorInvalidError
 */
export async function userHistory(
  sql: Sql,
  codec: Pick<EventCodec<UserLifecycleEvent>, 'decode'>,
  userId: string,
  { limit, cursor = '0' }: UserHistoryOptions,
): Promise<{ items: HistoryEntry[]; nextCursor: string | null }> {
  if (!/^\d{1,15}$/.test(cursor)) throw new CursorInvalidError()
  const archived = await readArchive(sql, userId, { afterVersion: Number(cursor), limit: limit + 1 })
  const items: HistoryEntry[] = []
  for (const { record } of archived.slice(0, limit)) {
    const { value } = decodeRecordBody(record)
    if (value !== null) items.push(toEntry(await codec.decode(value)))
  }
  return { items, nextCursor: archived.length > limit ? String(items.at(-1)?.version) : null }
}

function toEntry(event: UserLifecycleEvent): HistoryEntry {
  return {
    version: event.version,
    type: event.type,
    eventId: event.eventId,
    at: event.occurredAt.toISOString(),
    actor: event.actor,
    changed: event.changed,
    correlationId: event.correlationId,
    ...(event.causationId === null ? {} : { causationId: event.causationId }),
    user: toPublicUser(event.user),
  }
}
