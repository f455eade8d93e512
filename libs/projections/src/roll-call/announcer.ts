import { SUBSCRIBERS_TOPIC, type SubscriberAnnouncement } from '@rollcall/events'
import { encodeRecordBody, type KafkaProducer, partitionOf } from '@rollcall/kafka'
import { type Logger, serializeError } from '@rollcall/observability'
import type { Clock } from '../clock.js'
import type { LogSource } from '../log-source.js'
import type { ProjectionStatus } from '../projection-status.js'

export interface AnnounceOptions {
  /** Names the service to operators and to `?wait=`. */
  readonly service: string
  /** Where its admin API listens; a function when that is known only once it does. Without it nobody can ask about a user. */
  readonly url?: string | (() => string | undefined)
  /** @default 'rollcall.subscribers.v1' */
  readonly topic?: string
}

export interface AnnouncerOptions extends AnnounceOptions {
  readonly kafka: LogSource
  readonly status: () => Promise<readonly ProjectionStatus[]>
  readonly instance: string
  readonly groupId: string
  readonly logger: Logger
  readonly clock: Clock
}

/** Announces each projection of this process: within a second of a change, every five seconds anyway, and goodbye at the end. */
export function announcer(options: AnnouncerOptions): { start(): void; close(): Promise<void> } {
  const { kafka, status, service, instance, logger, clock, topic = SUBSCRIBERS_TOPIC } = options
  if (kafka.producer === undefined) throw new TypeError('announce needs a kafka that can produce')
  const producer = kafka.producer()
  const closing = new AbortController()
  const said = new Map<string, { readonly what: string; readonly at: number }>()
  let loop: Promise<void> | undefined
  let isFailing = false

  async function announce(): Promise<void> {
    const at = clock.now()
    const news = (await status()).map((one) => toAnnouncement(one, options)).filter((one) => isNews(one, at))
    await send(
      producer,
      topic,
      at,
      news.map((one) => [keyOf(one), JSON.stringify({ ...one, at: new Date(at) })]),
    )
    for (const one of news) said.set(keyOf(one), { what: JSON.stringify(one), at })
  }

  function isNews(one: Omit<SubscriberAnnouncement, 'at'>, now: number): boolean {
    const last = said.get(keyOf(one))
    return last === undefined || now - last.at >= SILENT_FOR_MS || last.what !== JSON.stringify(one)
  }

  async function run(): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        await announce()
        isFailing = false
      } catch (error) {
        if (!isFailing) logger.warn({ service, topic, err: serializeError(error) }, 'projections cannot be announced')
        isFailing = true
      }
      await clock.wait(LOOK_MS, closing.signal)
    }
  }

  async function leave(): Promise<void> {
    await loop
    await send(
      producer,
      topic,
      clock.now(),
      [...said.keys()].map((key) => [key, null]),
    )
    await producer.close()
  }

  return {
    start() {
      loop ??= run()
    },
    async close() {
      closing.abort()
      const left = leave().catch((error: unknown) =>
        logger.debug({ service, instance, err: serializeError(error) }, 'projections could not say goodbye'),
      )
      // Kafka may be away: a goodbye is a courtesy, silence says the same a little later.
      const over = new AbortController()
      await Promise.race([left, clock.wait(GOODBYE_MS, over.signal)])
      over.abort()
    },
  }
}

const LOOK_MS = 1_000
/** A little less than five looks, so that the fifth is not put off to the sixth. */
const SILENT_FOR_MS = 4_500
const GOODBYE_MS = 2_000

function toAnnouncement(
  { name, version, topic, state, partitions, parkedUsers }: ProjectionStatus,
  { service, instance, groupId, url }: AnnouncerOptions,
): Omit<SubscriberAnnouncement, 'at'> {
  const here = typeof url === 'function' ? url() : url
  return {
    service,
    projection: name,
    version,
    instance,
    ...(here === undefined ? {} : { url: here }),
    topic,
    groupId: `${groupId}.${name}`,
    state,
    partitions: partitions.map(({ partition, position, highWatermark }) => ({ partition, position, highWatermark })),
    parkedUsers,
  }
}

const keyOf = ({ service, projection, instance }: Omit<SubscriberAnnouncement, 'at'>) =>
  `${service}/${projection}/${instance}`

async function send(
  producer: KafkaProducer,
  topic: string,
  timestampMs: number,
  entries: readonly (readonly [key: string, value: string | null])[],
): Promise<void> {
  if (entries.length === 0) return
  const count = await producer.partitionCount(topic)
  await producer.send(
    topic,
    entries.map(([key, value]) => ({
      partition: partitionOf(Buffer.from(key), count),
      timestampMs,
      body: encodeRecordBody({ key, value }),
    })),
  )
}
