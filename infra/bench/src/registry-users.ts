import { copyIn, type Pool } from '@rollcall/database'
import type { EventCodec, UserLifecycleEvent } from '@rollcall/events'
import { userCreated } from '@rollcall/events/testing'
import {
  type Decision,
  decideChange,
  decideCreation,
  encodeUserRecord,
  LOCAL_PRINCIPAL,
  toPublicUser,
  type UserWrite,
} from '@rollcall/user-registry'

export type UserState = Decision['next']
type Codec = Pick<EventCodec<UserLifecycleEvent>, 'encode'>

/** The write that creates made-up user number `seed`, decided and encoded as the registry does it. */
export function creationOf(seed: number, codec: Codec): UserWrite {
  const { userId, eventId, profile } = madeUp(seed)
  const decision = decideCreation({ type: 'CreateUser', userId, profile }, context(eventId))
  return writeOf(decision, undefined, codec)
}

function madeUp(seed: number) {
  const { userId, eventId, user } = userCreated({ seed, tenantId: LOCAL_PRINCIPAL.tenantId })
  const { userName, emails, name, phone, locale, timezone, attributes } = user
  return { userId, eventId, profile: { userName, emails: [...emails], name, phone, locale, timezone, attributes } }
}

/** A change of telephone and one attribute. */
export const patchOf = (turn: number) => ({
  phone: `+4420${10_000_000 + (turn % 80_000_000)}`,
  attributes: { desk: turn },
})

/** The write of that change. */
export function changeOf(before: UserState, turn: number, codec: Codec): UserWrite {
  const { id } = before.user
  // Any UUID will do for the event, as long as no two are equal.
  const eventId = `${id.slice(0, 24)}${(before.user.version + turn * 4_096).toString(16).padStart(12, '0').slice(-12)}`
  const decision = decideChange(before, { type: 'UpdateUser', patch: patchOf(turn) }, context(eventId))
  if (decision === undefined) throw new Error('the change changes nothing')
  return writeOf(decision, before, codec)
}

const context = (eventId: string) => ({
  tenantId: LOCAL_PRINCIPAL.tenantId,
  actor: LOCAL_PRINCIPAL.actor,
  correlationId: eventId,
  causationId: null,
  now: new Date(),
  eventId,
  gracePeriodMs: 86_400_000,
})

function writeOf(decision: Decision, before: UserState | undefined, codec: Codec): UserWrite {
  const document = JSON.stringify(toPublicUser(decision.next.user))
  return { decision, before, record: encodeUserRecord(decision.event, codec), document }
}

export const USER_COLUMNS = [
  ...['id', 'tenant_id', 'user_name', 'user_name_key', 'emails', 'name', 'phone', 'locale', 'timezone', 'attributes'],
  ...['status', 'status_before_deletion', 'version', 'created_at', 'updated_at', 'deleted_at', 'purge_at'],
]

/** The user's row as a statement takes it, in the order of `USER_COLUMNS`. */
export function userRow({ user, statusBeforeDeletion }: UserState): unknown[] {
  return [
    user.id,
    user.tenantId,
    user.userName,
    user.userName.toLowerCase(),
    JSON.stringify(user.emails),
    user.name === null ? null : JSON.stringify(user.name),
    user.phone,
    user.locale,
    user.timezone,
    JSON.stringify(user.attributes),
    user.status,
    statusBeforeDeletion,
    user.version,
    user.createdAt.toISOString(),
    user.updatedAt.toISOString(),
    user.deletedAt?.toISOString() ?? null,
    user.purgeAt?.toISOString() ?? null,
  ]
}

/** Loads users with their addresses, and nothing else of what a write leaves: the ground that changes are made on. */
export async function loadUsers(
  pool: Pool,
  states: readonly UserState[],
  { isLast = true }: { readonly isLast?: boolean } = {},
): Promise<void> {
  const client = await pool.connect()
  try {
    await copyIn(client, `COPY user_account (${USER_COLUMNS.join(', ')}) FROM STDIN`, states.map(userRow))
    const addresses = states.flatMap(({ user }) => user.emails.map((email) => [user.tenantId, email.value, user.id]))
    await copyIn(client, 'COPY user_email (tenant_id, email_key, user_id) FROM STDIN', addresses)
    if (isLast) await client.query('VACUUM ANALYZE user_account, user_email')
  } finally {
    client.release()
  }
}
