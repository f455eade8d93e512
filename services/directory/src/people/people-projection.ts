import { type User, userLifecycle } from '@rollcall/events'
import { defineProjection } from '@rollcall/projections'
import { searchText } from './search-text.js'

/** The read model `person`: one row per user that is not deleted. */
export const people = defineProjection({
  name: 'people',
  version: 1,
  topic: userLifecycle,
  table: {
    name: 'person',
    key: 'user_id',
    row: (user: User) => (user.status === 'deleted' ? null : toPerson(user)),
  },
})

function toPerson(user: User) {
  const { name } = user
  const primary = user.emails.find((email) => email.primary) ?? user.emails[0]
  const displayName = name?.display ?? ([name?.given, name?.family].filter(Boolean).join(' ') || user.userName)
  return {
    tenant_id: user.tenantId,
    user_name: user.userName,
    display_name: displayName,
    given_name: name?.given ?? null,
    family_name: name?.family ?? null,
    primary_email: primary?.value ?? null,
    emails: user.emails,
    email_keys: user.emails.map(({ value }) => value.toLowerCase()),
    name,
    phone: user.phone,
    locale: user.locale,
    timezone: user.timezone,
    attributes: user.attributes,
    status: user.status,
    version: user.version,
    created_at: user.createdAt,
    updated_at: user.updatedAt,
    search_text: searchText(displayName, user.userName, primary?.value),
  }
}
