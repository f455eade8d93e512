/** Why a partition stands still, or a user is parked. Ids and counts only, never personal data. */
export interface PartitionFailure {
  readonly code: string
  readonly message: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly userId?: string
  readonly eventId?: string
  readonly eventType?: string
  readonly knownVersion?: number
  readonly seenVersion?: number
  readonly at: string
}
