import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Pool } from '@rollcall/database'
import { encodeRecordBody, type KafkaClient } from '@rollcall/kafka'
import { appendToOutbox } from '../append.js'
import type { RelayOptions } from '../relay/relay-options.js'
import { relayStatus } from '../relay-status.js'
import { type RelayStep, spawnRelay } from './spawn-relay.js'

export interface RelayTrialOptions {
  /** A migrated database of this trial's own. */
  readonly pool: Pool
  readonly databaseUrl: string
  readonly brokers: string
  readonly kafka: Pick<KafkaClient, 'readTopic'>
  /** An empty topic of this trial's own. */
  readonly topic: string
  /** `SIGKILL`: the first relay dies. `SIGSTOP`: it sleeps until the second one has shipped, then wakes. */
  readonly fault: 'SIGKILL' | 'SIGSTOP'
  /** At a named step, or so many milliseconds after the first one ships. */
  readonly at: { readonly step: RelayStep; readonly nth: number } | { readonly afterMs: number }
  readonly aggregates?: number
  /** Bytes of each value: large ones leave requests half in the socket. */
  readonly valueBytes?: number
  readonly options?: RelayOptions
}

/** What the topic holds after a trial. */
export interface TopicVerdict {
  readonly messages: number
  readonly records: number
  /** A version whose first record stands before the first record of a lower one. */
  readonly inversions: readonly string[]
  /** Versions with no record. */
  readonly missing: readonly string[]
  /** Records that repeat one before. */
  readonly repeats: number
  /** Epoch of the lead at the end: it changed hands. */
  readonly epoch: number
}

/** Lets two relays ship one outbox through a fault of the first, and reads the topic. Rejects when the trial cannot be run. */
export async function runRelayTrial(trial: RelayTrialOptions): Promise<TopicVerdict> {
  const { pool, databaseUrl, brokers, topic, fault, at } = trial
  const options = { leaseMs: 800, standbyPollMs: 50, checkpointMs: 20, fallbackMs: 20, ...trial.options }
  const settings = { databaseUrl, brokers, options }
  const ids = Array.from({ length: trial.aggregates ?? 20 }, () => randomUUID())
  const value = Buffer.alloc(trial.valueBytes ?? 100, 'v')
  let version = 0
  const write = async (waves: number) => {
    for (let wave = 0; wave < waves; wave++) {
      version++
      const messages = ids.map((id) => ({
        aggregateId: id,
        version,
        topic,
        record: encodeRecordBody({ key: id, value, headers: { ce_sequence: String(version) } }),
      }))
      await appendToOutbox(pool, messages)
    }
  }

  await write(5)
  const first = spawnRelay({ ...settings, name: 'first', ...('step' in at ? { at: { ...at, signal: fault } } : {}) })
  let second: ReturnType<typeof spawnRelay> | undefined
  try {
    await until('the first relay leads', () => first.seen('relay.lead-taken') > 0)
    second = spawnRelay({ ...settings, name: 'second' })
    const other = second
    if ('afterMs' in at) {
      await until('the first relay sends', () => first.seen('relay.sending') > 0)
      await Promise.all([write(10), delay(at.afterMs).then(() => first.kill(fault))])
    } else {
      // One wave after the other until it is there.
      while (first.seen(at.step) < at.nth) await write(1)
    }
    await write(10)
    await until('the second relay leads', () => other.seen('relay.lead-taken') > 0)
    await until('all is shipped', async () => (await relayStatus(pool)).waiting === 0)
    if (fault === 'SIGSTOP') {
      first.kill('SIGCONT')
      await write(10)
      await until('the first relay knows', () => first.seen('relay.fenced') > 0)
      await until('all is shipped', async () => (await relayStatus(pool)).waiting === 0)
    }
    return { ...(await readVerdict(trial, ids, version)), epoch: (await relayStatus(pool)).epoch }
  } finally {
    await Promise.all([first.close(), second?.close()])
  }
}

async function readVerdict({ kafka, topic }: RelayTrialOptions, ids: readonly string[], versions: number) {
  const newest = new Map<string, number>()
  const seen = new Set<string>()
  const inversions: string[] = []
  let records = 0
  await kafka.readTopic({
    topic,
    onBatch: (slice) => {
      for (const { key, headers } of slice.records) {
        records++
        const name = `${key}@${headers.ce_sequence}`
        if (seen.has(name)) continue
        seen.add(name)
        const known = newest.get(String(key)) ?? 0
        if (Number(headers.ce_sequence) !== known + 1) inversions.push(`${name} after ${known}`)
        newest.set(String(key), Math.max(known, Number(headers.ce_sequence)))
      }
    },
  })
  const missing = ids.flatMap((id) =>
    Array.from({ length: versions }, (_, index) => `${id}@${index + 1}`).filter((name) => !seen.has(name)),
  )
  return { messages: ids.length * versions, records, inversions, missing, repeats: records - seen.size }
}

async function until(what: string, holds: () => boolean | Promise<boolean>, timeoutMs = 120_000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`)
    await delay(10)
  }
}
