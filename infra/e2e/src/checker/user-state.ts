import type { User } from '@rollcall/events'
import type { UserState } from './history.js'

/** Dates as text, absent members as null, so that a row and an event of the same state are equal. */
export function userStateOf(user: User | UserState): UserState {
  const time = (at: Date | string | null) => (at === null ? null : new Date(at).toISOString())
  return {
    id: user.id,
    tenantId: user.tenantId,
    userName: user.userName,
    emails: user.emails.map(({ value, type, primary }) => ({ value, type: type ?? null, primary })),
    name: user.name && {
      given: user.name.given ?? null,
      family: user.name.family ?? null,
      display: user.name.display ?? null,
    },
    phone: user.phone,
    locale: user.locale,
    timezone: user.timezone,
    attributes: user.attributes,
    status: user.status,
    version: user.version,
    createdAt: time(user.createdAt) as string,
    updatedAt: time(user.updatedAt) as string,
    deletedAt: time(user.deletedAt),
    purgeAt: time(user.purgeAt),
  }
}
