import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { SUBSCRIBERS_TOPIC } from '@rollcall/events'
import type { KafkaClient, KafkaConsumer, RecordBatch } from '@rollcall/kafka'
import type { Logger } from '@rollcall/observability'
import { z } from 'zod'
import { SubscribersUnknownError } from './subscribers-unknown-error.js'

/** One projection of one service, with the processes that run it. */
export interface Subscriber {
  readonly service: string
  readonly projection: string
  /** Whoever spoke last is first. */
  readonly instances: readonly Instance[]
}

export interface Instance {
  readonly instance: string
  readonly url: string | undefined
  /** False when it has been silent for too long. */
  readonly isLive: boolean
  readonly heardAt: Date
  readonly partitions: Announcement['partitions']
}

export interface Subscribers {
  /** Follows the topic from now on, and goes on trying while Kafka is away. */
  start(): void
  close(): Promise<void>
  /** Everybody who ever announced itself on the users' topic and did not say goodbye. @throws SubscribersUnknownError */
  known(): readonly Subscriber[]
}

export interface SubscribersOptions {
  readonly kafka: Pick<KafkaClient, 'consumer' | 'offsets'>
  readonly logger: Logger
  /** The topic whose subscribers are meant. */
  readonly of: string
  /** @default 'rollcall.subscribers.v1' */
  readonly topic?: string
  readonly now?: () => number
}

/** They speak every five seconds; three times unheard counts as gone. */
export const SILENT_MS = 15_000
const FORGET_MS = 7 * 86_400_000
const RETRY_MS = 5_000

// Looser than what is sent: a subscriber of a later version may say more.
const announcement = z.object({
  service: z.string().min(1),
  projection: z.string().min(1),
  instance: z.string().min(1),
  url: z.url({ protocol: /^https?$/ }).optional(),
  topic: z.string(),
  partitions: z.array(z.object({ partition: z.int(), position: z.number(), highWatermark: z.number() })),
})
type Announcement = z.output<typeof announcement>

/** The roll call as this process heard it, in memory: the compacted topic is read anew at each start. */
export function followSubscribers(options: SubscribersOptions): Subscribers {
  const { kafka, logger, topic = SUBSCRIBERS_TOPIC, now = Date.now } = options
  const heard = new Map<string, Announcement & { readonly heardAt: number }>()
  const unread = new Map<number, number>()
  const closing = new AbortController()
  let consumer: KafkaConsumer | undefined
  let isAssigned = false

  async function assigned(partitions: readonly number[]): Promise<Map<number, number>> {
    unread.clear()
    for (const { partition, low, high } of await kafka.offsets(topic)) {
      if (partitions.includes(partition) && high > low) unread.set(partition, high)
    }
    isAssigned = true
    return new Map()
  }

  async function batch({ partition, records, nextOffset }: RecordBatch): Promise<void> {
    for (const { key, value, timestampMs } of records) {
      if (key === null) continue
      // What was said before we listened is as old as its stamp; after that no clock but ours counts.
      const heardAt = unread.has(partition) ? Math.min(timestampMs, now()) : now()
      const said = value === null ? undefined : parse(value)
      if (said === undefined || now() - heardAt > FORGET_MS) heard.delete(key.toString())
      else heard.set(key.toString(), { ...said, heardAt })
    }
    if (nextOffset >= (unread.get(partition) ?? 0)) unread.delete(partition)
  }

  function parse(value: Buffer): Announcement | undefined {
    try {
      return announcement.parse(JSON.parse(value.toString()))
    } catch (error) {
      logger.debug({ topic, err: error }, 'an announcement is not readable')
      return undefined
    }
  }

  async function follow(): Promise<void> {
    while (!closing.signal.aborted) {
      // A group of its own for each process: everybody hears everything.
      const groupId = `user-registry.roll-call.${randomUUID()}`
      consumer = kafka.consumer({ groupId, topic, assigned, batch, maxWaitMs: 500 })
      try {
        await consumer.start()
        return
      } catch (error) {
        if (closing.signal.aborted) return
        logger.warn({ topic, err: error }, 'the roll call is not heard')
        await consumer.close()
        await sleep(RETRY_MS, undefined, { signal: closing.signal }).catch(() => undefined)
      }
    }
  }

  let following: Promise<void> | undefined
  return {
    start() {
      following ??= follow()
    },
    async close() {
      closing.abort()
      await consumer?.close()
      await following
    },
    known() {
      if (!isAssigned || unread.size > 0) throw new SubscribersUnknownError(topic)
      const ours = [...heard.values()].filter((one) => one.topic === options.of && now() - one.heardAt <= FORGET_MS)
      const bySubscriber = new Map<string, typeof ours>()
      for (const one of ours) {
        const name = `${one.service}/${one.projection}`
        bySubscriber.set(name, [...(bySubscriber.get(name) ?? []), one])
      }
      return [...bySubscriber]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([, all]) => toSubscriber(all.sort((a, b) => b.heardAt - a.heardAt)))
    },
  }

  function toSubscriber(all: readonly (Announcement & { readonly heardAt: number })[]): Subscriber {
    const { service, projection } = all[0] as Announcement
    const instances = all.map(({ instance, url, partitions, heardAt }) => ({
      instance,
      url,
      partitions,
      isLive: now() - heardAt <= SILENT_MS,
      heardAt: new Date(heardAt),
    }))
    return { service, projection, instances }
  }
}
