import { z } from 'zod'

/** What a subscriber answers about a user. */
export interface Standing {
  /** The version applied; 0 when it never saw the user. */
  readonly version: number
  readonly parkedSince: string | null
}

/** Asks projections about users; undefined when there is no answer. */
export type AskUser = (url: string, projection: string, userId: string) => Promise<Standing | undefined>

const MOST_USERS = 1_000
const TIMEOUT_MS = 1_000

/**
 * Bundles questions: each projection of each process has one request under way at most, and what is asked meanwhile
 * waits for the next. However many writes wait, a slow subscriber is asked less often, not harder.
 */
export function userQuestions(): AskUser {
  const lines = new Map<string, Line>()
  return (url, projection, userId) => {
    const place = new URL(`/admin/projections/${encodeURIComponent(projection)}/users/progress`, url).href
    const line = lines.get(place) ?? openLine(place)
    return new Promise((resolve) => line.set(userId, [...(line.get(userId) ?? []), resolve]))
  }

  function openLine(place: string): Line {
    const line: Line = new Map()
    lines.set(place, line)
    void askInTurn(place, line)
    return line
  }

  async function askInTurn(place: string, line: Line): Promise<void> {
    // What is asked in this very moment goes along.
    await new Promise((resolve) => setImmediate(resolve))
    while (line.size > 0) {
      const bundle = [...line].slice(0, MOST_USERS)
      for (const [userId] of bundle) line.delete(userId)
      const standings = await ask(
        place,
        bundle.map(([userId]) => userId),
      )
      for (const [userId, resolves] of bundle) for (const resolve of resolves) resolve(standings?.get(userId))
    }
    lines.delete(place)
  }
}

/** User to everybody who asks about it. */
type Line = Map<string, ((standing: Standing | undefined) => void)[]>

const answerShape = z.object({
  users: z.array(z.object({ userId: z.string(), version: z.int(), parkedSince: z.iso.datetime().nullable() })),
})

async function ask(place: string, userIds: readonly string[]): Promise<Map<string, Standing> | undefined> {
  try {
    const response = await fetch(place, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ userIds }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
      redirect: 'error',
    })
    const body: unknown = await response.json()
    return response.ok ? new Map(answerShape.parse(body).users.map((user) => [user.userId, user])) : undefined
  } catch {
    return undefined
  }
}
