import type { Sql } from '@rollcall/database'
import { isTransientDatabaseError } from '@rollcall/database'
import { type Logger, step } from '@rollcall/observability'
import { type Position, storePosition, type Term } from './relay-state.js'

export interface PositionKeeperOptions {
  readonly sql: Sql
  readonly term: Term
  readonly leaseMs: number
  readonly checkpointMs: number
  readonly monotonicMs: () => number
  /** When the statement that took the lead was sent, by the same clock. */
  readonly takenAtMs: number
  readonly logger: Logger
  /** The lead is lost or the row cannot be written for good: end the term. */
  readonly onLost: (error: unknown) => void
}

/** Stores how far the leader came, at most once per `checkpointMs`, and renews its lease with the same statement. */
export interface PositionKeeper {
  /** Everything up to here is in Kafka. Stored soon when `soon`, else with the next heartbeat. */
  acknowledge(position: Position, soon: boolean): void
  /** Resolves while the lease surely runs; renews it first when it does not. @throws RelayFencedError */
  ensureLead(): Promise<void>
  /** Stores the newest position now. @throws RelayFencedError */
  flush(): Promise<void>
  /** Ends the timers and waits for what is under way; stores nothing more. */
  close(): Promise<void>
}

export function createPositionKeeper(options: PositionKeeperOptions): PositionKeeper {
  const { sql, term, leaseMs, monotonicMs, logger } = options
  let acked = term.position
  let stored = term.position
  // Counted from before the statement left: the server's clock read lies later, so a standby waits longer than we lead.
  let leadUntilMs = options.takenAtMs + leaseMs
  let underWay: Promise<void> | undefined
  let checkpoint: NodeJS.Timeout | undefined
  let closed = false

  const store = async () => {
    const next = acked
    const sentAtMs = monotonicMs()
    step('relay.storing')
    await storePosition(sql, term.epoch, stored, next)
    step('relay.stored')
    stored = next
    leadUntilMs = sentAtMs + leaseMs
  }

  const flush = async (): Promise<void> => {
    // One at a time: the compare part of the next statement is the set part of this one.
    while (underWay !== undefined) await underWay.catch(() => {})
    underWay = store()
    try {
      await underWay
    } finally {
      underWay = undefined
    }
  }

  const storeInBackground = () => {
    if (underWay !== undefined || closed) return
    flush().catch((error: unknown) => {
      if (closed) return
      // A lost connection is tried again at the next heartbeat; until then nothing is sent once the lease is over.
      if (isTransientDatabaseError(error)) logger.warn({ epoch: term.epoch, error }, 'relay position not stored')
      else options.onLost(error)
    })
  }

  const heartbeat = setInterval(storeInBackground, Math.max(10, leaseMs / 3))

  return {
    acknowledge(position, soon) {
      acked = position
      if (!soon) return
      checkpoint ??= setTimeout(() => {
        checkpoint = undefined
        storeInBackground()
      }, options.checkpointMs)
    },
    async ensureLead() {
      if (monotonicMs() >= leadUntilMs) await flush()
    },
    flush,
    async close() {
      closed = true
      clearInterval(heartbeat)
      clearTimeout(checkpoint)
      await underWay?.catch(() => {})
    },
  }
}
