import { z } from 'zod'
import type { ServiceClient } from './service-client.js'

const emails = z.array(z.object({ value: z.string(), type: z.string().nullish(), primary: z.boolean() }))
const name = z.object({ given: z.string().nullish(), family: z.string().nullish(), display: z.string().nullish() })
const attributes = z.record(z.string(), z.unknown())

/** A user as the registry shows it; absent members are left out there. */
export const registryUser = z.object({
  id: z.string(),
  tenantId: z.string(),
  userName: z.string(),
  emails,
  name: name.optional(),
  phone: z.string().optional(),
  locale: z.string().optional(),
  timezone: z.string().optional(),
  attributes,
  status: z.string(),
  version: z.number(),
  createdAt: z.string(),
  updatedAt: z.string(),
})

const person = registryUser.extend({
  name: name.nullable(),
  phone: z.string().nullable(),
  locale: z.string().nullable(),
  timezone: z.string().nullable(),
})

export const userPage = z.object({ items: z.array(registryUser), nextCursor: z.string().nullable() })
export const personPage = z.object({ items: z.array(person), nextCursor: z.string().nullable() })

export type RegistryUser = z.output<typeof registryUser>
export type Person = z.output<typeof person>

export interface Difference {
  readonly id: string
  readonly field: string
  readonly registry: unknown
  readonly directory: unknown
}

/** The fields in which the directory's row is not what the registry says. */
export function differencesOf(user: RegistryUser, found: Person | undefined): Difference[] {
  const { id } = user
  if (found === undefined) return [{ id, field: '(only in the registry)', registry: id, directory: null }]
  return (Object.keys(registryUser.shape) as (keyof RegistryUser)[]).flatMap((field) =>
    canonical(user[field]) === canonical(found[field])
      ? []
      : { id, field, registry: user[field], directory: found[field] },
  )
}

/** Every item of a paged listing, one page in memory. */
export async function* pagesById<T>(
  client: ServiceClient,
  path: string,
  shape: z.ZodType<{ items: T[]; nextCursor: string | null }>,
): AsyncGenerator<T> {
  let cursor: string | null = null
  do {
    const page: { items: T[]; nextCursor: string | null } = await client.get(
      cursor === null ? path : `${path}&cursor=${encodeURIComponent(cursor)}`,
      shape,
    )
    yield* page.items
    cursor = page.nextCursor
  } while (cursor !== null)
}

// Absent and null are one; member order is nothing.
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null)
  const entries = Object.entries(value)
    .filter(([, one]) => one !== null && one !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, one]) => `${JSON.stringify(key)}:${canonical(one)}`).join()}}`
}
