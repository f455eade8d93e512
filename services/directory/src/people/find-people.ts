import type { Person, PrismaClient } from '../generated/client.js'
import { searchText } from './search-text.js'

/** A person by id; null when there is none. */
export function findPerson(prisma: PrismaClient, userId: string): Promise<Person | null> {
  return prisma.person.findUnique({ where: { userId } })
}

export function findByEmail(prisma: PrismaClient, email: string): Promise<Person[]> {
  return prisma.person.findMany({
    where: { emailKeys: { has: email.toLowerCase() } },
    orderBy: { userId: 'asc' },
    take: 100,
  })
}

/** All people in id order, after the one given. */
export function listPeople(
  prisma: PrismaClient,
  { after, limit }: { readonly after?: string | undefined; readonly limit: number },
) {
  return prisma.person.findMany({
    ...(after === undefined ? {} : { where: { userId: { gt: after } } }),
    orderBy: { userId: 'asc' },
    take: limit,
  })
}

/**
 * People whose name, user name or address begins with, holds or resembles the text, best first: a word that begins with
 * it, then any place, then misspellings (a word's trigrams alike to 0.6, Postgres's default).
 */
export async function searchPeople(
  prisma: PrismaClient,
  { q, limit, offset }: { readonly q: string; readonly limit: number; readonly offset: number },
): Promise<Person[]> {
  const text = searchText(q)
  const pattern = text.replace(/[\\%_]/g, '\\$&')
  const found = await prisma.$queryRaw<{ user_id: string }[]>`
    SELECT user_id::text FROM person
    WHERE search_text LIKE ${`%${pattern}%`} OR ${text} <% search_text
    ORDER BY
      CASE WHEN search_text LIKE ${`${pattern}%`} OR search_text LIKE ${`% ${pattern}%`} THEN 0
           WHEN search_text LIKE ${`%${pattern}%`} THEN 1 ELSE 2 END,
      word_similarity(${text}, search_text) DESC, user_id
    LIMIT ${limit} OFFSET ${offset}`
  const ids = found.map(({ user_id }) => user_id)
  const rows = await prisma.person.findMany({ where: { userId: { in: ids } } })
  const byId = new Map(rows.map((person) => [person.userId, person]))
  return ids.flatMap((id) => byId.get(id) ?? [])
}
