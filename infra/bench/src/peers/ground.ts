import type { KafkaClient } from '@rollcall/kafka'
import { until } from '../bench-tools.js'
import { outboxForms, type Phase, subjectId } from './outbox-form.js'
import type { Peer } from './peer.js'

/** What a phase of the bench works with: the peer, what was committed for it so far, and how its topic grows. */
export interface Ground {
  readonly peer: Peer
  readonly committed: Map<string, number>
  /** Appends that many messages, a few hundred in a transaction, of users in turns or at random. */
  append(phase: Phase, rows: number, users: Users): Promise<void>
  note(keys: readonly string[], versions: readonly number[]): void
  /** Records in the topic. */
  arrived(): Promise<number>
}

export interface Users {
  readonly count: number
  readonly pick: 'turns' | 'random'
}

const ROWS_PER_TRANSACTION = 500

export function groundOf(peer: Peer, kafka: KafkaClient, value: Buffer): Ground {
  const form = outboxForms[peer.name]
  const committed = new Map<string, number>()
  const text = form.insertFrom(`SELECT id, version, bytes
    FROM unnest($1::uuid[], $2::bigint[], $3::bytea[]) WITH ORDINALITY AS rows (id, version, bytes, row) ORDER BY row`)
  let turn = 0
  return {
    peer,
    committed,
    async append(phase, rows, { count, pick }) {
      for (let from = 0; from < rows; from += ROWS_PER_TRANSACTION) {
        const keys: string[] = []
        const versions: number[] = []
        const bytes: Buffer[] = []
        for (let row = from; row < Math.min(rows, from + ROWS_PER_TRANSACTION); row++) {
          const key = subjectId(phase, pick === 'turns' ? turn++ % count : Math.floor(Math.random() * count))
          const version = (committed.get(key) ?? 0) + 1
          committed.set(key, version)
          keys.push(key)
          versions.push(version)
          bytes.push(form.bytesOf(key, version, value))
        }
        await peer.pool.query({ name: 'fill', text, values: [keys, versions, bytes] })
      }
    },
    note(keys, versions) {
      for (const [index, key] of keys.entries()) {
        committed.set(key, Math.max(committed.get(key) ?? 0, versions[index] as number))
      }
    },
    async arrived() {
      let records = 0
      await until(`the offsets of ${peer.topic}`, async () => {
        try {
          records = (await kafka.offsets(peer.topic)).reduce((sum, { high }) => sum + high, 0)
          return true
        } catch (error) {
          // A topic just made has no leader yet.
          if ((error as { retryable?: boolean }).retryable === true) return false
          throw error
        }
      })
      return records
    },
  }
}

/** Resolves when the topic has grown to `records` and grows no more; false when it does not get there. */
export async function settled({ arrived }: Ground, records: number, timeoutMs = 60_000): Promise<boolean> {
  const end = performance.now() + timeoutMs
  let last = -1
  let lastAt = performance.now()
  for (;;) {
    const now = await arrived()
    if (now !== last) lastAt = performance.now()
    last = now
    if (now >= records && performance.now() - lastAt > QUIET_MS) return true
    if (performance.now() > end) return false
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const QUIET_MS = 2_000
