import type { Pool } from '@rollcall/database'
import { isRetryable } from '@rollcall/errors'
import { type Logger, step } from '@rollcall/observability'
import { OutboxRecordTooLargeError } from '../errors.js'
import { createBackoff, sleep } from './backoff.js'
import { createFencedPublisher, type FencedPublisher } from './fenced-publisher.js'
import { type OutboxReader, openOutboxReader } from './outbox-reader.js'
import type { Page } from './page.js'
import { createPositionKeeper, type PositionKeeper } from './position-keeper.js'
import type { PublisherSource } from './publisher.js'
import type { RelayMetrics } from './relay-metrics.js'
import type { RelayOptions } from './relay-options.js'
import type { Position, Term } from './relay-state.js'
import { createRepublisher, type Republisher } from './republisher.js'
import { endsTerm, isFatalForRelay, type ShipOptions, shipPage } from './ship-page.js'
import type { SnapshotText } from './snapshot.js'
import type { WakeSignal } from './wake-signal.js'

export interface LeadOptions {
  readonly databaseUrl: string
  readonly applicationName: string
  readonly pool: Pool
  readonly kafka: PublisherSource
  readonly term: Term
  /** When the statement that took the lead was sent, by the monotonic clock. */
  readonly takenAtMs: number
  readonly wake: WakeSignal
  readonly logger: Logger
  readonly metrics: RelayMetrics
  readonly options: Required<RelayOptions>
  /** Aborts when the session is lost that tells standbys of this relay. */
  readonly presence: AbortSignal
  /** Aborts for a clean stop. */
  readonly stop: AbortSignal
  /** Called after each look that went well, and with the error after each that did not. */
  readonly onProgress: (error?: unknown) => void
}

/**
 * Leads one term: ships what is committed, in order, until told to stop, fenced, or a connection is lost. Rejects in
 * all cases but the clean stop; whatever was not acknowledged is shipped again by the next term.
 */
export async function lead(lead: LeadOptions): Promise<void> {
  const { term, options, logger } = lead
  const end = new AbortController()
  const endTerm = (reason?: unknown) => end.abort(reason)
  const onStop = () => endTerm(STOPPED)
  lead.stop.addEventListener('abort', onStop, { once: true })
  if (lead.stop.aborted) onStop()
  const onAbsent = () => endTerm(lead.presence.reason)
  lead.presence.addEventListener('abort', onAbsent, { once: true })
  if (lead.presence.aborted) onAbsent()
  end.signal.addEventListener('abort', () => lead.wake.wake(), { once: true })
  const keeper = createPositionKeeper({
    sql: lead.pool,
    term,
    leaseMs: options.leaseMs,
    checkpointMs: options.checkpointMs,
    monotonicMs: options.monotonicMs,
    takenAtMs: lead.takenAtMs,
    logger,
    onLost: endTerm,
  })
  const publisher = createFencedPublisher({ kafka: lead.kafka, sql: lead.pool, term, logger, metrics: lead.metrics })
  // Connected before there is anything to send: the first change after a start should not wait for the handshake. A
  // broker that is away is met again, and reported, by the first send.
  publisher.connect().catch((error: unknown) => {
    if (isFatalForRelay(error)) endTerm(error)
  })
  let reader: OutboxReader | undefined
  try {
    reader = await openOutboxReader(lead.databaseUrl, lead.applicationName)
    await followOutbox({ ...lead, reader, keeper, publisher, end: end.signal })
    if (end.signal.reason !== STOPPED) throw end.signal.reason
    await keeper.flush()
  } catch (error) {
    // What Kafka acknowledged and the row does not say yet would be sent twice; fenced, this changes nothing.
    await keeper.flush().catch(() => {})
    // The stop interrupted a pause between two tries: what is left is sent by the next term.
    if (error !== STOPPED) throw error
  } finally {
    lead.stop.removeEventListener('abort', onStop)
    lead.presence.removeEventListener('abort', onAbsent)
    await keeper.close()
    await reader?.close()
    await publisher.close()
  }
}

const STOPPED = Symbol('stopped')

interface Leading extends LeadOptions {
  readonly reader: OutboxReader
  readonly keeper: PositionKeeper
  readonly publisher: FencedPublisher
  readonly end: AbortSignal
}

async function followOutbox(leading: Leading): Promise<void> {
  const { reader, keeper, end, wake, options, metrics, term } = leading
  const { ship, republisher } = createShipper(leading)
  let position = term.position
  let pauseMs = SHORTEST_PAUSE_MS
  if (position.upper !== null) position = await workOffBackLog(leading, ship, position, position.upper)
  while (!end.aborted) {
    const startedMs = performance.now()
    const { snapshot, page } = await reader.tick(position.snap, options.liveRows)
    metrics.tick((performance.now() - startedMs) / 1_000)
    leading.onProgress()
    if (page === undefined) {
      position = await workOffBackLog(leading, ship, position, snapshot)
      continue
    }
    if (page.rows > 0) {
      step('relay.looked')
      await ship(page)
      step('relay.shipped')
      pauseMs = SHORTEST_PAUSE_MS
    }
    leading.publisher.settle()
    position = {
      snap: snapshot,
      upper: null,
      lastId: Math.max(position.lastId, page.lastId),
      shipped: position.shipped + page.rows,
      offsets: leading.publisher.offsets(),
    }
    // An empty look is stored with the next heartbeat; only shipped rows are worth a write of their own.
    keeper.acknowledge(position, page.rows > 0)
    await republisher.step(snapshot)
    await wake.wait(Math.min(pauseMs, republisher.dueInMs()))
    const earlyMs = startedMs + SPACING_MS - performance.now()
    if (earlyMs > 0) await sleep(earlyMs, end)
    pauseMs = Math.min(options.fallbackMs, pauseMs * 2)
  }
}

// Writers that send no wake-up are found by looking again soon after the last find.
const SHORTEST_PAUSE_MS = 5

// Each look that finds something costs all down the line: a look, a send, a fetch, a transaction in every projection.
// Without it 1,000 changes/s were shipped two at a time, and kept two cores busy with it. At 6 ms the median of the bench
// `latency` was 5.4 ms, at 4 it is 4.6.
const SPACING_MS = 4

async function workOffBackLog(
  leading: Leading,
  ship: (page: Page) => Promise<void>,
  start: Position,
  upper: SnapshotText,
): Promise<Position> {
  const { reader, keeper, end, options, logger, term } = leading
  const { snap } = start
  const resumed = start.upper !== null
  const range = await reader.backLogRange(snap, upper, options.pageRows)
  let position: Position = resumed ? start : { ...start, upper, lastId: range.first - 1 }
  if (!Number.isFinite(range.first)) return { ...start, snap: upper, upper: null }
  logger.info({ epoch: term.epoch, resumed, fromId: position.lastId + 1 }, 'working off a back-log')
  const read = (lastId: number) => {
    const page = reader.backLogPage(snap, upper, range, lastId, options.pageRows)
    // Observed when its turn comes; until then a failure must not count as unhandled.
    page.catch(() => {})
    return page
  }
  let next: Promise<Page> | undefined = read(position.lastId)
  const before = position.shipped
  while (next !== undefined && !end.aborted) {
    const page: Page = await next
    leading.onProgress()
    if (page.rows === 0) break
    const isLast = page.rows < options.pageRows && page.lastId >= range.firstFresh
    // The next page is read while Kafka acknowledges this one.
    next = isLast ? undefined : read(page.lastId)
    step('relay.page-read')
    await ship(page)
    step('relay.page-shipped')
    position = {
      ...position,
      lastId: page.lastId,
      shipped: position.shipped + page.rows,
      offsets: leading.publisher.offsets(),
    }
    keeper.acknowledge(position, true)
  }
  await next?.catch(() => {})
  if (end.aborted) return position
  step('relay.back-log-ended')
  // A back-log that an earlier term began may end before what that term shipped after it.
  if (!resumed) leading.publisher.settle()
  position = { ...position, snap: upper, upper: null, offsets: leading.publisher.offsets() }
  keeper.acknowledge(position, true)
  logger.info({ epoch: term.epoch, messages: position.shipped - before }, 'back-log worked off')
  return position
}

function createShipper(leading: Leading): {
  readonly ship: (page: Page) => Promise<void>
  readonly republisher: Republisher
} {
  const { keeper, end, logger, metrics, options, pool, publisher } = leading
  const backoff = createBackoff(options.backoffMs)
  const shipOptions: ShipOptions = {
    publisher,
    partitionCount: createPartitionCounts(leading, async (error) => {
      await shipOptions.beforeRetry(error)
    }),
    async ensureLead() {
      // A stop lets the page under way finish; a lost lead does not.
      if (end.aborted && end.reason !== STOPPED) throw end.reason
      await keeper.ensureLead()
    },
    async beforeRetry(error) {
      if (end.aborted) throw end.reason
      const message = 'Kafka did not take the messages; trying again'
      if (isRetryable(error)) logger.warn({ error }, message)
      else logger.error({ error }, message)
      metrics.retry('kafka')
      leading.onProgress(error)
      await backoff.pause(end)
      if (end.aborted) throw end.reason
    },
    async tooLarge(messageId, topic, bytes, error) {
      const { rows } = await pool.query<{ aggregate_id: string; version: string }>(
        'SELECT aggregate_id, version FROM outbox.message WHERE id = $1',
        [messageId],
      )
      throw new OutboxRecordTooLargeError(
        rows[0]?.aggregate_id ?? 'unknown',
        Number(rows[0]?.version ?? 0),
        topic,
        bytes,
        error,
      )
    },
    sendBytes: options.sendBytes,
    partitionBytes: options.partitionBytes,
  }
  const republisher = createRepublisher({
    sql: pool,
    epoch: leading.term.epoch,
    perSecond: options.republishPerSecond,
    async sendAgain(page) {
      await shipPage(page, { ...shipOptions, publisher: { send: publisher.sendAgain } })
      metrics.republished(page.rows)
    },
    logger,
  })
  return {
    republisher,
    async ship(page) {
      await republisher.before(page)
      const startedMs = performance.now()
      await shipPage(page, shipOptions)
      backoff.reset()
      metrics.send((performance.now() - startedMs) / 1_000)
      metrics.shipped(page.rows)
    },
  }
}

// Asked once per topic and term: the count inside a term must not change under the keys.
function createPartitionCounts(
  { publisher }: Leading,
  beforeRetry: (error: unknown) => Promise<void>,
): (topic: string) => Promise<number> {
  const counts = new Map<string, number>()
  const ask = async (topic: string): Promise<number> => {
    for (;;) {
      try {
        return await publisher.partitionCount(topic)
      } catch (error) {
        if (endsTerm(error)) throw error
        await beforeRetry(error)
      }
    }
  }
  return async (topic) => {
    const known = counts.get(topic)
    if (known !== undefined) return known
    const found = await ask(topic)
    counts.set(topic, found)
    return found
  }
}
