import { partitionOf } from '@rollcall/kafka'
import { z } from 'zod'
import type { Instance, Subscriber } from './subscribers.js'

/** Where one version of one user is with one subscriber. */
export interface SubscriberProgress {
  readonly service: string
  readonly projection: string
  readonly status: 'applied' | 'pending' | 'parked' | 'unreachable'
  /** The version of the user it has applied; null when it cannot be asked. */
  readonly version: number | null
  /** Records between it and the end of the user's partition, as it last announced. */
  readonly lagRecords: number | null
  /** Parked: since when; unreachable: when it was last heard; pending: when the user changed, if the version is the current one. */
  readonly since: string | null
  /** The process that was asked. */
  readonly instance: string
}

/** One change of one user. */
export interface Change {
  readonly userId: string
  readonly version: number
  /** When it was made, where that is known. */
  readonly changedAt?: Date | undefined
}

/** Asks one live process of the subscriber; a second one where the first does not answer. */
export async function progressOf(subscriber: Subscriber, change: Change): Promise<SubscriberProgress> {
  const { service, projection, instances } = subscriber
  const askable = instances.filter(({ isLive, url }) => isLive && url !== undefined).slice(0, MOST_ASKED)
  for (const one of askable) {
    const answer = await ask(one, projection, change.userId)
    if (answer === undefined) continue
    const { instance } = one
    return {
      service,
      projection,
      ...judge(answer, change),
      version: answer.version,
      lagRecords: lagOf(one, change),
      instance,
    }
  }
  const last = instances[0] as Instance
  return {
    service,
    projection,
    status: 'unreachable',
    version: null,
    lagRecords: lagOf(last, change),
    since: last.heardAt.toISOString(),
    instance: last.instance,
  }
}

const MOST_ASKED = 2
const ASK_TIMEOUT_MS = 1_000

const answerShape = z.object({ version: z.int(), parked: z.object({ since: z.iso.datetime() }).nullable() })
type Answer = z.output<typeof answerShape>

async function ask({ url }: Instance, projection: string, userId: string): Promise<Answer | undefined> {
  try {
    const path = `/admin/projections/${encodeURIComponent(projection)}/users/${encodeURIComponent(userId)}`
    const response = await fetch(new URL(path, url), {
      signal: AbortSignal.timeout(ASK_TIMEOUT_MS),
      redirect: 'error',
    })
    const body: unknown = await response.json()
    return response.ok ? answerShape.parse(body) : undefined
  } catch {
    return undefined
  }
}

function judge(answer: Answer, { version, changedAt }: Change): Pick<SubscriberProgress, 'status' | 'since'> {
  if (answer.version >= version) return { status: 'applied', since: null }
  if (answer.parked !== null) return { status: 'parked', since: answer.parked.since }
  return { status: 'pending', since: changedAt?.toISOString() ?? null }
}

function lagOf({ partitions }: Instance, { userId }: Change): number | null {
  const mine = partitionOf(Buffer.from(userId), Math.max(1, partitions.length))
  const found = partitions.find(({ partition }) => partition === mine)
  return found === undefined ? null : Math.max(0, found.highWatermark - found.position)
}
