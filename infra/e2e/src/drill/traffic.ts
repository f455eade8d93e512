import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { JournalEntry } from '../checker/history.js'
import type { Random } from '../random.js'

export interface TrafficOptions {
  /** Base address of the user registry. */
  readonly registry: string
  readonly random: Random
  /** Numbers in what is written begin here: a second traffic in the same scene must not write what is there already. @default 0 */
  readonly from?: number
  /** Requests started a second, at most. @default 20 */
  readonly perSecond?: number
}

/** Clients that go on changing users whatever dies, and keep a journal of what they were told. */
export interface Traffic {
  readonly journal: readonly JournalEntry[]
  /** Creations asked for again and again that were never answered, with the last refusal. */
  readonly unanswered: ReadonlyArray<{ readonly correlationId: string; readonly lastAnswer: string }>
  stop(): Promise<void>
}

const KNOWN_USERS = 400
const CREATE_TRIES = 60

export function startTraffic({ registry, random, from = 0, perSecond = 20 }: TrafficOptions): Traffic {
  const journal: JournalEntry[] = []
  const unanswered: { correlationId: string; lastAnswer: string }[] = []
  const users: string[] = []
  const running = new Set<Promise<void>>()
  let stopped = false
  let unique = from
  let page = ''

  async function learnUsers(): Promise<void> {
    const response = await request('GET', `/v1/users?limit=100${page}`)
    if (response?.status !== 200) return
    const { items, nextCursor } = (await response.json()) as { items: { id: string }[]; nextCursor?: string | null }
    for (const { id } of items) {
      if (users.length < KNOWN_USERS) users.push(id)
      else users[random.between(0, KNOWN_USERS - 1)] = id
    }
    page = nextCursor ? `&cursor=${encodeURIComponent(nextCursor)}` : ''
  }

  /** Half of the changes carry an idempotency key and are asked for again until they are answered: once made, made once. */
  async function change(): Promise<void> {
    const userId = random.pick(users)
    const path = `/v1/users/${userId}`
    unique++
    const correlationId = randomUUID()
    const key = random.next() < 0.5 ? correlationId : undefined
    const patch = 'application/merge-patch+json'
    const { attributes, phone } = { attributes: { drill: unique }, phone: phoneOf(unique) }
    const ask = random.pick([
      () => request('PATCH', path, correlationId, { attributes }, patch, key),
      () => request('PATCH', path, correlationId, { locale: 'en-GB', phone }, patch, key),
      () => request('POST', `${path}/suspend`, correlationId, undefined, undefined, key),
      () => request('POST', `${path}/reactivate`, correlationId, undefined, undefined, key),
      () => request('DELETE', path, correlationId, undefined, undefined, key),
      () => request('POST', `${path}/restore`, correlationId, undefined, undefined, key),
    ])
    let response = await ask()
    for (let tries = 1; key !== undefined && tries < CREATE_TRIES && (await isOpen(response)); tries++) {
      if (stopped && tries > CREATE_TRIES / 2) break
      await sleep(250)
      response = await ask()
    }
    const outcome = (await isOpen(response)) ? 'unknown' : outcomeOf(response)
    const version = versionOf(response)
    await response?.arrayBuffer().catch(() => {})
    journal.push({ correlationId, userId, outcome, ...(outcome === 'ok' ? { version } : {}) })
  }

  /** Creates a user under an idempotency key, again and again until it is told what became of it. */
  async function create(): Promise<void> {
    unique++
    const correlationId = randomUUID()
    const body = {
      userName: `drill-${correlationId}`,
      emails: [{ value: `${correlationId}@drill.example`, primary: true }],
    }
    let lastAnswer = 'none'
    for (let tries = 0; tries < CREATE_TRIES; tries++) {
      const response = await request('POST', '/v1/users', correlationId, body, 'application/json', correlationId)
      if (response?.status === 201) {
        try {
          const { id, version } = (await response.json()) as { id: string; version: number }
          journal.push({ correlationId, userId: id, outcome: 'ok', version })
          return
        } catch {
          // The answer was cut: ask again.
        }
      } else if (outcomeOf(response) === 'fail' && response?.status !== 409) {
        journal.push({ correlationId, userId: '', outcome: 'fail' })
        return
      }
      lastAnswer = response ? `${response.status} ${await codeOf(response)}` : 'no connection'
      if (stopped && tries > CREATE_TRIES / 2) break
      await sleep(500)
    }
    journal.push({ correlationId, userId: '', outcome: 'unknown' })
    unanswered.push({ correlationId, lastAnswer })
  }

  async function request(
    method: string,
    path: string,
    correlationId: string = randomUUID(),
    body?: unknown,
    contentType = 'application/json',
    idempotencyKey?: string,
  ): Promise<Response | undefined> {
    try {
      return await fetch(`${registry}${path}`, {
        method,
        headers: {
          'x-correlation-id': correlationId,
          ...(body === undefined ? {} : { 'content-type': contentType }),
          ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(10_000),
      })
    } catch {
      return undefined
    }
  }

  const loop = (async () => {
    while (!stopped) {
      const act = users.length < 20 || random.next() < 0.05 ? learnUsers : random.next() < 0.1 ? create : change
      const one = act()
        .catch(() => {})
        .finally(() => running.delete(one))
      running.add(one)
      if (running.size >= 8) await Promise.race(running)
      await sleep(1000 / perSecond)
    }
  })()

  return {
    journal,
    unanswered,
    async stop() {
      stopped = true
      await loop
      await Promise.all(running)
    },
  }
}

async function codeOf(response: Response): Promise<string> {
  try {
    return String(((await response.json()) as { code?: unknown }).code)
  } catch {
    return '(no problem document)'
  }
}

/** Not answered, or told that a twin of the request is under way: asking again is the way to know. */
async function isOpen(response: Response | undefined): Promise<boolean> {
  if (response === undefined || response.status >= 500) return true
  return response.status === 409 && (await codeOf(response.clone())) === 'ERR_IDEMPOTENCY_IN_PROGRESS'
}

/** A refusal (4xx) promises that nothing was done; a 5xx or no answer promises nothing. */
export function outcomeOf(response: Response | undefined): JournalEntry['outcome'] {
  if (!response || response.status >= 500) return 'unknown'
  return response.ok ? 'ok' : 'fail'
}

/** The version an answer's ETag tells; NaN of none. */
export const versionOf = (response: Response | undefined): number =>
  Number(/\d+/.exec(response?.headers.get('etag') ?? '')?.[0])

const phoneOf = (unique: number) => `+1555${String(unique % 10_000_000).padStart(7, '0')}`
