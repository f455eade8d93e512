import type { PartitionFailure } from './partition-failure.js'

/** How many parked users a projection may have, and how many records may wait behind one; beyond, the partition stops. */
export interface ParkingLimits {
  readonly users: number
  readonly lettersPerUser: number
}

/** A record kept aside, as it stood in the topic. */
export interface DeadLetter {
  readonly partition: number
  readonly offset: number
  /** Undefined when the record names no user. */
  readonly userId: string | undefined
  /** Undefined when the record names none. */
  readonly version: number | undefined
  readonly eventId: string | undefined
  readonly eventType: string | undefined
  readonly recordAt: Date
  readonly value: Buffer
}

/** A dead letter to keep. With a failure it parks its user, or stands for itself when it names none. */
export interface Parking {
  readonly letter: DeadLetter
  readonly failure: PartitionFailure | undefined
}

/** A user whose events wait. */
export interface ParkedUser {
  readonly userId: string
  readonly partition: number
  readonly parkedAt: Date
  /** Why, and why each retry since failed; the oldest first. */
  readonly failures: readonly PartitionFailure[]
  /** How many records wait. */
  readonly letters: number
}
