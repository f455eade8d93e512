import { z } from 'zod'
import type { Heal } from '../parking/heal-gaps.js'
import { RegistryUnavailableError } from '../projection-errors.js'
import { fetchJson } from './fetch-json.js'
import { type HealFromRegistryOptions, healFromRegistry } from './heal-from-registry.js'

/** What a read model asks the user registry: how far it is itself, and what it lacks. */
export interface UserRegistry {
  /** The versions of all users in buckets, of one snapshot. @throws RegistryUnavailableError */
  digest(buckets: number, signal: AbortSignal): Promise<RegistryDigest>
  /** The versions of the users in these buckets. @throws RegistryUnavailableError */
  versionsIn(buckets: number, chosen: readonly number[], signal: AbortSignal): Promise<Map<string, number>>
  /** The versions of these users, of those it knows. @throws RegistryUnavailableError */
  versionsOf(userIds: readonly string[], signal: AbortSignal): Promise<Map<string, number>>
  /** A user's events from version to version, from the outbox archive. */
  readonly events: Heal
  /** A user's whole state, as the value of an event of its last version; undefined when it is not known. @throws RegistryUnavailableError */
  state(userId: string, signal: AbortSignal): Promise<Buffer | undefined>
}

export interface RegistryDigest extends VersionDigest {
  /** When its snapshot was taken, ISO 8601, by the registry's clock. */
  readonly at: string
  readonly snapshot: string
}

/** Users and hash of each bucket that is not empty: XOR of `uuid_hash_extended(id, version)`, bucketed by `uuid_hash(id)`. */
export interface VersionDigest {
  readonly users: number
  readonly buckets: ReadonlyMap<number, { readonly users: number; readonly hash: string }>
}

/** The registry over HTTP. */
export function userRegistry(options: HealFromRegistryOptions): UserRegistry {
  const { timeoutMs = 10_000, maxBytes = 64 * 1_024 * 1_024 } = options
  const base = options.registryUrl.replace(/\/+$/, '')

  async function ask(path: string, signal: AbortSignal, body?: unknown) {
    const request = { signal, timeoutMs, maxBytes, ...(body === undefined ? {} : { body }) }
    const answer = await fetchJson(base + path, request).catch((cause: unknown) => {
      signal.throwIfAborted()
      throw new RegistryUnavailableError(base, 'it gave no answer that could be read', cause)
    })
    if (answer.ok) return answer.body
    const { code } = problem.catch({}).parse(answer.body)
    if (code === 'ERR_USER_NOT_FOUND') return undefined
    throw new RegistryUnavailableError(base, `it answered ${answer.status} ${code ?? ''}`.trim())
  }

  function read<T>(shape: z.ZodType<T>, body: unknown): T {
    const parsed = shape.safeParse(body)
    if (parsed.success) return parsed.data
    throw new RegistryUnavailableError(base, 'its answer has another shape', parsed.error)
  }

  return {
    async digest(buckets, signal) {
      const { items, ...rest } = read(digestAnswer, await ask(`/admin/users/digest?buckets=${buckets}`, signal))
      return { ...rest, buckets: new Map(items.map(([bucket, users, hash]) => [bucket, { users, hash }])) }
    },
    async versionsIn(buckets, chosen, signal) {
      const path = `/admin/users/versions?buckets=${buckets}&bucket=${chosen.join(',')}`
      return new Map(read(pairsAnswer, await ask(path, signal)).items)
    },
    async versionsOf(userIds, signal) {
      const versions = new Map<string, number>()
      for (let from = 0; from < userIds.length; from += MOST_USERS) {
        const body = { userIds: userIds.slice(from, from + MOST_USERS) }
        for (const [id, version] of read(pairsAnswer, await ask('/admin/users/versions', signal, body)).items) {
          versions.set(id, version)
        }
      }
      return versions
    },
    events: healFromRegistry(options),
    async state(userId, signal) {
      const body = await ask(`/v1/users/${userId}/state`, signal)
      return body === undefined ? undefined : Buffer.from(read(stateAnswer, body).value, 'base64')
    },
  }
}

const MOST_USERS = 1_000

const problem = z.object({ code: z.string().optional() })
const digestAnswer = z.object({
  at: z.string(),
  snapshot: z.string(),
  users: z.int(),
  items: z.array(z.tuple([z.int(), z.int(), z.string()])),
})
// Not z.uuid() for each of a hundred thousand: an id that is none matches nobody.
const pairsAnswer = z.object({ items: z.array(z.tuple([z.string(), z.number()])) })
const stateAnswer = z.object({ version: z.int(), value: z.base64() })
