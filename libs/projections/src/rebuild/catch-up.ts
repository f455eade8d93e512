import type { Clock } from '../clock.js'
import type { LogSource } from '../log-source.js'
import { RebuildFailedError, SideMissingError } from '../projection-errors.js'
import type { ProjectionStore } from '../store/projection-store.js'
import { recordsIn } from './records-in.js'

export interface CatchUpOptions {
  readonly projection: string
  readonly side: string
  readonly topic: string
  readonly store: Pick<ProjectionStore<unknown>, 'read'>
  readonly kafka: Pick<LogSource, 'offsets'>
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Told how many records of the topic the side has passed. */
  readonly seen: (events: number) => void
}

/**
 * Waits until the side's runners, in whatever processes, are near the end of the topic.
 *
 * @throws SideMissingError when it is gone, or nobody follows it; RebuildFailedError when one of its partitions has stopped
 */
export async function caughtUp(options: CatchUpOptions): Promise<void> {
  const { projection, side, topic, store, kafka, clock, signal, seen } = options
  let nearSince: number | undefined
  for (let still = 0, before = -1; !signal.aborted; ) {
    const row = (await store.read([side]))[0]
    if (row === undefined) throw new SideMissingError(projection, `has lost its side ${side}`)
    const failed = row.checkpoints.find(({ failure }) => failure !== null)?.failure
    if (failed) throw new RebuildFailedError(projection, failed.message, { ...failed })
    const at = new Map(row.checkpoints.map(({ partition, position }) => [partition, position]))
    const offsets = await kafka.offsets(topic)
    const total = recordsIn(offsets)
    const lag = offsets.reduce(
      (sum, { partition, low, high }) => sum + Math.max(0, high - (at.get(partition) ?? low)),
      0,
    )
    seen(total - lag)
    if (lag <= AT_HAND) return
    nearSince = lag <= NEAR ? (nearSince ?? clock.now()) : undefined
    if (nearSince !== undefined && clock.now() - nearSince >= PATIENCE_MS) return
    still = lag === before ? still + 1 : 0
    before = lag
    if (still * LOOK_MS > UNFOLLOWED_MS) {
      const version = `version ${row.version} of the projection`
      throw new SideMissingError(projection, `has a side ${side} that nobody follows: is ${version} deployed?`)
    }
    await clock.wait(LOOK_MS, signal)
  }
}

/** So few records are left for the meeting: the live side waits while they are applied. */
const AT_HAND = 10
/** Of a side that never gets nearer while much is going on. */
const NEAR = 200
const PATIENCE_MS = 2_000
const LOOK_MS = 50
const UNFOLLOWED_MS = 60_000
