import type { JsonObject, User } from '@rollcall/events'

/** A user as callers see it: absent members are left out, times are ISO 8601. */
export interface PublicUser extends ProfileDocument {
  id: string
  tenantId: string
  status: User['status']
  version: number
  createdAt: string
  updatedAt: string
  deletedAt?: string
  purgeAt?: string
}

/** The mutable part of a user: what a merge patch is applied to. */
export interface ProfileDocument {
  userName: string
  emails: { value: string; type?: string; primary: boolean }[]
  name?: { given?: string; family?: string; display?: string }
  phone?: string
  locale?: string
  timezone?: string
  attributes: JsonObject
}

/** Shows a user to callers. */
export function toPublicUser(user: User): PublicUser {
  return {
    id: user.id,
    tenantId: user.tenantId,
    ...profileOf(user),
    status: user.status,
    version: user.version,
    createdAt: user.createdAt.toISOString(),
    updatedAt: user.updatedAt.toISOString(),
    ...(user.deletedAt === null ? {} : { deletedAt: user.deletedAt.toISOString() }),
    ...(user.purgeAt === null ? {} : { purgeAt: user.purgeAt.toISOString() }),
  }
}

/** The mutable part alone, as plain JSON. */
export function toProfileDocument(user: Profile): JsonObject {
  return profileOf(user) as unknown as JsonObject
}

type Profile = Pick<User, 'userName' | 'emails' | 'name' | 'phone' | 'locale' | 'timezone' | 'attributes'>

function profileOf(user: Profile): ProfileDocument {
  const document: ProfileDocument = {
    userName: user.userName,
    emails: user.emails.map(({ value, type, primary }) =>
      type === null ? { value, primary } : { value, type, primary },
    ),
    attributes: user.attributes,
  }
  if (user.name !== null) document.name = withoutNulls(user.name)
  if (user.phone !== null) document.phone = user.phone
  if (user.locale !== null) document.locale = user.locale
  if (user.timezone !== null) document.timezone = user.timezone
  return document
}

function withoutNulls({ given, family, display }: NonNullable<User['name']>) {
  return {
    ...(given === null ? {} : { given }),
    ...(family === null ? {} : { family }),
    ...(display === null ? {} : { display }),
  }
}
