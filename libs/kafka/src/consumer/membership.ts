import type { Logger } from '@rollcall/observability'
import type { Cluster, ConsumerGroup, ProtocolErrorShape } from '../kafkajs/internals.js'
import type { Latch } from './latch.js'
import type { Signal } from './signal.js'

/** The membership of the group, from a join to the need of the next. */
export interface Membership {
  /** Answers with the new session; the former one is over. */
  join(): Promise<Session>
  /** True when the group must be joined again, or the consumer is closing. */
  isOver(): boolean
  needsJoin(): void
  /** Keeps the membership alive; at most one request per `HEARTBEAT_MS` is really sent. Never rejects. */
  beat(): Promise<void>
}

/** What was begun under one join. */
export interface Session {
  isOver(): boolean
  end(): void
}

// A member that joins or leaves is noticed with the next heartbeat.
export const HEARTBEAT_MS = 500

export interface MembershipTools {
  readonly cluster: Cluster
  readonly group: ConsumerGroup
  readonly changed: Signal
  readonly closing: Latch
  readonly logger: Logger
}

export function createMembership(
  topic: string,
  { cluster, group, changed, closing, logger }: MembershipTools,
): Membership {
  let current: object = {}
  let mustJoin = false
  const isOver = () => mustJoin || closing.isSet

  function needsJoin(): void {
    mustJoin = true
    changed.raise()
  }

  return {
    isOver,
    needsJoin,

    async join() {
      const ours = {}
      current = ours
      mustJoin = false
      await cluster.connect()
      await cluster.addTargetTopic(topic)
      await group.joinAndSync()
      return {
        isOver: () => current !== ours || isOver(),
        end() {
          current = {}
          changed.raise()
        },
      }
    },

    async beat() {
      try {
        await group.heartbeat({ interval: HEARTBEAT_MS })
      } catch (error) {
        const { type } = error as ProtocolErrorShape
        if (type === 'UNKNOWN_MEMBER_ID') group.memberId = null
        logger.debug({ reason: type ?? String(error) }, 'heartbeat answered: join again')
        needsJoin()
      }
    },
  }
}
