import type { ConsumerGroup } from '../kafkajs/internals.js'
import type { Signal } from './signal.js'

/** What is known of a partition; kept over rebalances, because a pause and a running batch outlive them. */
export interface Lane {
  readonly partition: number
  /** The right to hand out records of the partition: a new one with each join, seek and reclaim; none when not held. */
  claim: object | undefined
  /** Where to read on; undefined until `assigned` has answered for this claim. */
  position: number | undefined
  isBusy: boolean
  isPaused: boolean
  failures: number
  backOff: NodeJS.Timeout | undefined
}

/** Every partition that was ever met. kafkajs is told of each change whether to fetch the partition, and from where. */
export interface Lanes {
  of(partition: number): Lane
  held(): Lane[]
  /** From here on nothing that was fetched or handed out under the former claim counts. */
  claimAnew(lane: Lane, position: number | undefined): void
  release(lane: Lane): void
  /** Reads on from the position, wherever the fetches were; undefined while it is not known. */
  moveTo(lane: Lane, position: number | undefined): void
  /** Reads on where the records handled so far end: what is fetched already stays good. */
  advance(lane: Lane, position: number): void
  /** To be called after a change of `isBusy`, `isPaused` or `backOff`. */
  settle(lane: Lane): void
  clearBackOffs(): void
}

export function createLanes(topic: string, group: ConsumerGroup, changed: Signal): Lanes {
  const lanes = new Map<number, Lane>()

  function settle(lane: Lane): void {
    const selected = [{ topic, partitions: [lane.partition] }]
    if (isReadable(lane)) group.subscriptionState.resume(selected)
    else group.subscriptionState.pause(selected)
    changed.raise()
  }

  function moveTo(lane: Lane, position: number | undefined): void {
    lane.position = position
    if (position !== undefined) group.seek({ topic, partition: lane.partition, offset: String(position) })
    settle(lane)
  }

  return {
    settle,
    moveTo,

    of(partition) {
      let lane = lanes.get(partition)
      if (lane === undefined) {
        lane = unclaimed(partition)
        lanes.set(partition, lane)
      }
      return lane
    },

    held: () => [...lanes.values()].filter(({ claim }) => claim !== undefined),

    claimAnew(lane, position) {
      lane.claim = {}
      lane.failures = 0
      endBackOff(lane)
      moveTo(lane, position)
    },

    release(lane) {
      lane.claim = undefined
      endBackOff(lane)
      moveTo(lane, undefined)
    },

    advance(lane, position) {
      lane.position = position
      group.resolveOffset({ topic, partition: lane.partition, offset: String(position - 1) })
    },

    clearBackOffs() {
      for (const lane of lanes.values()) clearTimeout(lane.backOff)
    },
  }
}

/** True when records of it may be fetched and handed out now. */
export function isReadable(lane: Lane): lane is Lane & { position: number } {
  const { claim, position, isBusy, isPaused, backOff } = lane
  return claim !== undefined && position !== undefined && !isBusy && !isPaused && backOff === undefined
}

function unclaimed(partition: number): Lane {
  return {
    partition,
    claim: undefined,
    position: undefined,
    isBusy: false,
    isPaused: false,
    failures: 0,
    backOff: undefined,
  }
}

function endBackOff(lane: Lane): void {
  clearTimeout(lane.backOff)
  lane.backOff = undefined
}
