import type { Pool } from '@rollcall/database'
import type { UserLifecycleEvent } from '@rollcall/events'
import { EventsGoneError, type UserRegistry } from '../../src/index.js'

/** A user registry that is at the last of these events of each user; its hashes are Postgres's own. */
export interface MemoryRegistry extends UserRegistry {
  /** Events that happen now. */
  happen(...events: readonly UserLifecycleEvent[]): void
  /** The archive loses a user's events; its state is kept. */
  forgetEvents(userId: string): void
  /** The user is gone without a trace. */
  forget(userId: string): void
  /** Told before events are answered. */
  beforeEvents: (userId: string) => void | Promise<void>
}

export function memoryRegistry(pool: Pool): MemoryRegistry {
  const events = new Map<string, UserLifecycleEvent[]>()
  const archived = new Map<string, UserLifecycleEvent[]>()
  const versionOf = (userId: string) => events.get(userId)?.at(-1)?.version
  const hashed = async (buckets: number) => {
    const all = [...events.keys()]
    const { rows } = await pool.query<{ id: string; bucket: number; hash: string }>(
      `SELECT id::text, uuid_hash(id) & $3::int - 1 AS bucket, uuid_hash_extended(id, version)::text AS hash
       FROM unnest($1::uuid[], $2::bigint[]) AS u (id, version)`,
      [all, all.map(versionOf), buckets],
    )
    return rows
  }
  const registry: MemoryRegistry = {
    happen(...happened) {
      for (const one of happened) {
        events.set(one.userId, [...(events.get(one.userId) ?? []), one])
        archived.set(one.userId, [...(archived.get(one.userId) ?? []), one])
      }
    },
    forgetEvents: (userId) => void archived.delete(userId),
    forget(userId) {
      events.delete(userId)
      archived.delete(userId)
    },
    beforeEvents: () => {},
    async digest(buckets) {
      const found = new Map<number, { users: number; hash: string }>()
      for (const { bucket, hash } of await hashed(buckets)) {
        const one = found.get(bucket) ?? { users: 0, hash: '0' }
        found.set(bucket, {
          users: one.users + 1,
          hash: BigInt.asIntN(64, BigInt(one.hash) ^ BigInt(hash)).toString(),
        })
      }
      return { at: '2026-01-01T00:00:00.000Z', snapshot: '1:1:', users: events.size, buckets: found }
    },
    async versionsIn(buckets, chosen) {
      const inThem = (await hashed(buckets)).filter(({ bucket }) => chosen.includes(bucket))
      return new Map(inThem.map(({ id }) => [id, versionOf(id) as number]))
    },
    async versionsOf(userIds) {
      return new Map(
        userIds.flatMap((id) => {
          const version = versionOf(id)
          return version === undefined ? [] : [[id, version] as const]
        }),
      )
    },
    async events({ userId, fromVersion, toVersion }) {
      await registry.beforeEvents(userId)
      const found = (archived.get(userId) ?? []).filter(({ version }) => version >= fromVersion && version <= toVersion)
      if (found.length < toVersion - fromVersion + 1) {
        throw new EventsGoneError(userId, fromVersion, toVersion, 'they are not kept')
      }
      return found.map(({ eventId }) => Buffer.from(eventId))
    },
    async state(userId) {
      const last = events.get(userId)?.at(-1)
      return last && Buffer.from(last.eventId)
    },
  }
  return registry
}
