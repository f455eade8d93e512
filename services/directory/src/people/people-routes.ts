import { RollcallError } from '@rollcall/errors'
import { type App, decodeCursor, encodeCursor, problemSchema } from '@rollcall/http'
import type { RunningProjections } from '@rollcall/projections'
import { z } from 'zod'
import type { Person, PrismaClient } from '../generated/client.js'
import { findByEmail, findPerson, listPeople, searchPeople } from './find-people.js'
import { atLeastSchema, peopleQuery, personPageSchema, personSchema } from './people-schemas.js'

export interface PeopleRoutesOptions {
  readonly prisma: PrismaClient
  readonly projections: Pick<RunningProjections, 'waitFor'>
  /** How long `atLeast` waits when the caller does not say. */
  readonly waitMs: number
}

/** `ERR_PERSON_NOT_FOUND`: nobody here has the id: unknown, deleted, or not arrived yet. */
export class PersonNotFoundError extends RollcallError {
  constructor(userId: string) {
    super({
      code: 'ERR_PERSON_NOT_FOUND',
      message: `There is no person ${userId}; right after a change, ask with atLeast=<userId>@<version>.`,
      facts: { userId },
    })
  }
}

export function addPeopleRoutes(app: App, { prisma, projections, waitMs }: PeopleRoutesOptions): void {
  const fresh = async ({ atLeast, waitMs: asked = waitMs }: z.output<typeof atLeastSchema>) => {
    if (atLeast !== undefined) await projections.waitFor(atLeast.userId, atLeast.version, asked)
  }
  const problems = { 400: problemSchema, 503: problemSchema }

  app.get(
    '/v1/people/:id',
    {
      schema: {
        tags: ['people'],
        summary: 'Read a person',
        params: z.object({ id: z.uuid() }),
        querystring: atLeastSchema,
        response: { 200: personSchema, 404: problemSchema, ...problems },
      },
    },
    async ({ params, query }) => {
      await fresh(query)
      const person = await findPerson(prisma, params.id)
      if (person === null) throw new PersonNotFoundError(params.id)
      return toDocument(person)
    },
  )

  app.get(
    '/v1/people',
    {
      schema: {
        tags: ['people'],
        summary: 'Find people',
        description: 'By `q` (beginning of a word, any part, or misspelt), by `email`, or all of them in id order.',
        querystring: peopleQuery,
        response: { 200: personPageSchema, ...problems },
      },
    },
    async ({ query }) => {
      await fresh(query)
      const { q, email, limit, cursor } = query
      if (email !== undefined) return { items: (await findByEmail(prisma, email)).map(toDocument), nextCursor: null }
      if (q !== undefined) {
        const [, offset] =
          cursor === undefined ? [q, 0] : decodeCursor(cursor, z.tuple([z.literal(q), z.int().min(1).max(10_000)]))
        const found = await searchPeople(prisma, { q, limit: limit + 1, offset })
        return page(found, limit, () => [q, offset + limit])
      }
      const after = cursor === undefined ? undefined : decodeCursor(cursor, z.uuid())
      return page(await listPeople(prisma, { after, limit: limit + 1 }), limit, (last) => last.userId)
    },
  )
}

function page(found: readonly Person[], limit: number, next: (last: Person) => unknown) {
  const items = found.slice(0, limit)
  const last = items.at(-1)
  return {
    items: items.map(toDocument),
    nextCursor: found.length > limit && last !== undefined ? encodeCursor(next(last)) : null,
  }
}

function toDocument({
  userId,
  emailKeys: _keys,
  searchText: _text,
  version,
  createdAt,
  updatedAt,
  ...person
}: Person): z.input<typeof personSchema> {
  return {
    id: userId,
    ...person,
    version: Number(version),
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  } as z.input<typeof personSchema>
}
