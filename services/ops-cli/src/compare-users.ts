import { z } from 'zod'
import type { ServiceClient } from './service-client.js'

const emails = z.array(z.object({ value: z.string(), type: z.string().nullish(), primary: z.boolean() }))
const name = z.object({ given: z.string().nullish(), family: z.string().nullish(), display: z.string().nullish() })

/** What both sides hold of a user. Absent and null are one: the registry leaves out what the directory shows as null. */
const comparedUser = z.object({
  id: z.string(),
  tenantId: z.string(),
  userName: z.string(),
  emails,
  name: name.nullish(),
  phone: z.string().nullish(),
  locale: z.string().nullish(),
  timezone: z.string().nullish(),
  attributes: z.record(z.string(), z.unknown()),
  status: z.string(),
  version: z.number(),
  createdAt: z.string(),
  updatedAt: z.string(),
})

export type ComparedUser = z.output<typeof comparedUser>

export interface Difference {
  readonly id: string
  readonly field: string
  readonly registry: unknown
  readonly directory: unknown
}

/** The fields in which two sides differ; one entry when a side is missing, none when both are. */
export function differencesOf(
  id: string,
  user: ComparedUser | undefined,
  person: ComparedUser | undefined,
): Difference[] {
  if (user === undefined && person === undefined) return []
  if (person === undefined) return [{ id, field: '(only in the registry)', registry: id, directory: null }]
  if (user === undefined) return [{ id, field: '(only in the directory)', registry: null, directory: id }]
  return (Object.keys(comparedUser.shape) as (keyof ComparedUser)[]).flatMap((field) =>
    canonical(user[field]) === canonical(person[field])
      ? []
      : { id, field, registry: user[field] ?? null, directory: person[field] ?? null },
  )
}

/** Two sides of one id; one of them may be missing. */
export interface Sides {
  readonly id: string
  readonly user: ComparedUser | undefined
  readonly person: ComparedUser | undefined
}

/** Walks two listings in id order side by side: one page of each in memory, however many users there are. */
export async function* sideBySide(
  users: AsyncIterator<ComparedUser>,
  people: AsyncIterator<ComparedUser>,
): AsyncGenerator<Sides> {
  let [user, person] = await Promise.all([nextOf(users), nextOf(people)])
  while (user !== undefined || person !== undefined) {
    const order = user === undefined ? 1 : person === undefined ? -1 : compareIds(user.id, person.id)
    const sides: Sides = {
      id: (order <= 0 ? user?.id : person?.id) ?? '',
      user: order <= 0 ? user : undefined,
      person: order >= 0 ? person : undefined,
    }
    yield sides
    ;[user, person] = await Promise.all([order <= 0 ? nextOf(users) : user, order >= 0 ? nextOf(people) : person])
  }
}

const comparedPage = z.object({ items: z.array(comparedUser), nextCursor: z.string().nullable() })
type ComparedPage = z.output<typeof comparedPage>

/** Every item of a listing in id order; the next page is on its way while one is read. */
export async function* pagesById(client: ServiceClient, path: string): AsyncGenerator<ComparedUser> {
  const pageAt = (cursor: string | null) =>
    client.get(cursor === null ? path : `${path}&cursor=${encodeURIComponent(cursor)}`, comparedPage)
  let page: ComparedPage | undefined = await pageAt(null)
  while (page !== undefined) {
    const upcoming: Promise<ComparedPage> | undefined = page.nextCursor === null ? undefined : pageAt(page.nextCursor)
    // Awaited after this page is read; a failure before that must not end the process.
    upcoming?.catch(() => {})
    yield* page.items
    page = await upcoming
  }
}

/** One side of one user as it is now; undefined when there is none, or a deleted one. */
export async function findCompared(client: ServiceClient, path: string): Promise<ComparedUser | undefined> {
  const answer = await client.request(path, { expect: [404] })
  const body: unknown = await answer.json()
  if (answer.status === 404) return undefined
  const user = comparedUser.parse(body)
  return user.status === 'deleted' ? undefined : user
}

async function nextOf(side: AsyncIterator<ComparedUser>): Promise<ComparedUser | undefined> {
  const step = await side.next()
  return step.done === true ? undefined : step.value
}

// Both sides write lower case, so that the order of the text is the order Postgres gives uuid.
const compareIds = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

// Member order is nothing.
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null)
  const entries = Object.entries(value)
    .filter(([, one]) => one !== null && one !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, one]) => `${JSON.stringify(key)}:${canonical(one)}`).join()}}`
}
