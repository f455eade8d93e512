import { partitionOf } from '@rollcall/kafka'
import type { Instance, Subscriber } from './subscribers.js'
import type { AskUser, Standing } from './user-questions.js'

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
export async function progressOf(
  { service, projection, instances }: Subscriber,
  change: Change,
  ask: AskUser,
): Promise<SubscriberProgress> {
  const askable = instances.flatMap((one) => (one.isLive && one.url !== undefined ? [{ ...one, url: one.url }] : []))
  for (const one of askable.slice(0, MOST_ASKED)) {
    const standing = await ask(one.url, projection, change.userId)
    if (standing === undefined) continue
    const { instance } = one
    return {
      service,
      projection,
      ...judge(standing, change),
      version: standing.version,
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

function judge(
  { version, parkedSince }: Standing,
  { version: wanted, changedAt }: Change,
): Pick<SubscriberProgress, 'status' | 'since'> {
  if (version >= wanted) return { status: 'applied', since: null }
  if (parkedSince !== null) return { status: 'parked', since: parkedSince }
  return { status: 'pending', since: changedAt?.toISOString() ?? null }
}

function lagOf({ partitions }: Instance, { userId }: Change): number | null {
  const mine = partitionOf(Buffer.from(userId), Math.max(1, partitions.length))
  const found = partitions.find(({ partition }) => partition === mine)
  return found === undefined ? null : Math.max(0, found.highWatermark - found.position)
}
