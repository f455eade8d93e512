/** Who follows our topics and how far: compacted, keyed `<service>/<projection>/<instance>`, JSON; a tombstone is a clean goodbye. */
export const SUBSCRIBERS_TOPIC = 'rollcall.subscribers.v1'

/** One running projection in one process, as it announces itself every few seconds. */
export interface SubscriberAnnouncement {
  readonly service: string
  readonly projection: string
  readonly version: number
  readonly instance: string
  /** Where its admin API listens. */
  readonly url?: string
  readonly topic: string
  readonly groupId: string
  readonly state: string
  /** Of all processes of the projection: the position is that of its database. */
  readonly partitions: readonly {
    readonly partition: number
    readonly position: number
    readonly highWatermark: number
  }[]
  readonly parkedUsers: number
  /** ISO 8601. */
  readonly at: string
}
