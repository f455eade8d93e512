import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { createPool, listen, type Pool } from '@rollcall/database'
import { errorCode } from '@rollcall/errors'
import { type Logger, step } from '@rollcall/observability'
import { WAKE_UP_CHANNEL } from '../create-wake-up.js'
import { RelayUnhealthyError } from '../errors.js'
import type { Holder } from '../read-holders.js'
import { relayStatus } from '../relay-status.js'
import { dropShippedPartitions } from '../retention/drop-shipped-partitions.js'
import { makePartitions } from '../retention/make-partitions.js'
import { createBackoff, sleep } from './backoff.js'
import { lead } from './lead.js'
import { openPresence, type Presence } from './presence.js'
import { createRelayMetrics } from './relay-metrics.js'
import type { RelayConfig, RelayOptions } from './relay-options.js'
import { checkDatabase, giveUpLead, takeLead } from './relay-state.js'
import { isFatalForRelay } from './ship-page.js'
import { createWakeSignal } from './wake-signal.js'

/** What one relay process is doing. */
export interface RelayProcessStatus {
  readonly instance: string
  readonly role: 'idle' | 'standby' | 'leader' | 'stopped'
  /** Epoch of the last term this process led; 0 before the first. */
  readonly epoch: number
  /** Messages this process had acknowledged. */
  readonly shipped: number
  /** The last failure, until things go well again; the reason when the role is `stopped`. */
  readonly error: unknown
  /** Milliseconds since the last look at the database that went well. */
  readonly sinceProgressMs: number
}

export interface Relay {
  /** Begins in the background and returns at once; Postgres and Kafka are waited for. */
  start(): void
  /** Finishes the batch under way, stores the position, gives the lead back. */
  stop(): Promise<void>
  status(): RelayProcessStatus
  /** Resolves after `stop()`; rejects when the relay stopped by itself, with the error that says what to do. */
  readonly finished: Promise<void>
}

/**
 * Creates a relay: it ships outbox messages to Kafka while it leads, and waits on standby while another one does.
 * Delivers at least once, per aggregate in version order and without a gap at first appearance.
 */
export function createRelay(config: RelayConfig): Relay {
  const { databaseUrl, kafka } = config
  const options = withDefaults(config.options)
  const instance = `${config.instance ?? `${hostname()}:${process.pid}`}#${randomBytes(3).toString('hex')}`
  const logger = config.logger.child({ relay: instance })
  const metrics = createRelayMetrics(config.metrics)
  const stop = new AbortController()
  const applicationName = 'rollcall relay'
  let role: RelayProcessStatus['role'] = 'idle'
  let epoch = 0
  let shipped = 0
  let failure: unknown
  let progressedAtMs = performance.now()
  let running: Promise<void> | undefined
  let finish: { resolve: () => void; reject: (error: unknown) => void } | undefined
  const finished = new Promise<void>((resolve, reject) => {
    finish = { resolve, reject }
  })
  // Whoever wants to know asks for it; a relay nobody watches must not end the process as unhandled.
  finished.catch(() => {})

  const onProgress = (error?: unknown) => {
    failure = error
    if (error === undefined) progressedAtMs = performance.now()
  }

  const counting = {
    ...metrics,
    shipped(messages: number) {
      shipped += messages
      metrics.shipped(messages)
    },
  }

  const leadWhenPossible = async (
    pool: Pool,
    wake: ReturnType<typeof createWakeSignal>,
    presence: Presence,
  ): Promise<void> => {
    await checkDatabase(pool)
    const takenAtMs = options.monotonicMs()
    const term = await takeLead(pool, instance, options.leaseMs)
    onProgress()
    if (term === undefined) {
      role = 'standby'
      await sleep(options.standbyPollMs, stop.signal)
      return
    }
    step('relay.lead-taken')
    role = 'leader'
    epoch = term.epoch
    metrics.led(epoch, true)
    metrics.tookOver(term.vacancy)
    logger.info({ epoch, vacancy: term.vacancy, backLog: term.position.upper !== null }, 'relay leads')
    const upkeep = startUpkeep(pool)
    try {
      await lead({
        databaseUrl,
        applicationName,
        pool,
        kafka,
        term,
        takenAtMs,
        wake,
        logger,
        metrics: counting,
        options,
        presence: presence.lost,
        stop: stop.signal,
        onProgress,
      })
    } catch (error) {
      if (isFatalForRelay(error)) await giveUpLead(pool, term.epoch).catch(() => {})
      throw error
    } finally {
      role = 'standby'
      metrics.led(epoch, false)
      await upkeep.end()
    }
    await giveUpLead(pool, term.epoch)
  }

  const startUpkeep = (pool: Pool) => {
    const end = new AbortController()
    let told: ReadonlySet<string> = new Set()
    const every = async (ms: number, what: string, work: () => Promise<unknown>) => {
      while (!end.signal.aborted) {
        await work().catch((error: unknown) => {
          if (!end.signal.aborted) logger.warn({ error }, `relay upkeep failed: ${what}`)
        })
        await sleep(ms, end.signal)
      }
    }
    const all = Promise.all([
      every(options.lagMs, 'lag', async () => {
        const status = await relayStatus(pool)
        metrics.lag(status)
        told = tellHolders(status.holders, told, logger)
      }),
      every(options.retention.everyMs, 'partitions', async () => {
        await makePartitions(pool, options.retention)
        await dropShippedPartitions(pool, options.retention, logger)
      }),
    ])
    return {
      async end() {
        end.abort()
        await all
      },
    }
  }

  const run = async (): Promise<void> => {
    const pool = createPool({ url: databaseUrl, max: 4, applicationName, statementTimeoutMs: 30_000 }, { logger })
    const wake = createWakeSignal()
    const listener = listen({
      url: databaseUrl,
      channel: WAKE_UP_CHANNEL,
      onNotify: wake.wake,
      logger,
      applicationName: 'rollcall relay wake-up',
    })
    const backoff = createBackoff(options.backoffMs)
    let presence: Presence | undefined
    try {
      while (!stop.signal.aborted) {
        try {
          if (presence?.lost.aborted) {
            await presence.close()
            presence = undefined
          }
          presence ??= await openPresence(databaseUrl, instance, 'rollcall relay presence')
          await leadWhenPossible(pool, wake, presence)
          backoff.reset()
        } catch (error) {
          if (isFatalForRelay(error)) throw error
          if (errorCode(error) === 'ERR_OUTBOX_RELAY_FENCED') {
            logger.warn({ error }, 'relay was fenced; back to standby')
            step('relay.fenced')
            continue
          }
          onProgress(error)
          metrics.retry('postgres')
          logger.warn({ error }, 'relay interrupted; trying again')
          await backoff.pause(stop.signal)
        }
      }
    } finally {
      await listener.close()
      await presence?.close()
      await pool.end()
    }
  }

  return {
    finished,
    start() {
      running ??= run().then(
        () => {
          role = 'stopped'
          finish?.resolve()
        },
        (error: unknown) => {
          role = 'stopped'
          failure = error
          metrics.stopped(errorCode(error) ?? 'unknown')
          logger.error({ error }, 'relay stopped')
          finish?.reject(error)
        },
      )
    },
    async stop() {
      stop.abort()
      if (running === undefined) finish?.resolve()
      await running
    },
    status: () => ({
      instance,
      role,
      epoch,
      shipped,
      error: failure,
      sinceProgressMs: performance.now() - progressedAtMs,
    }),
  }
}

/**
 * A readiness check: resolves while the relay ships or stands by, rejects when it stopped, meets a failure it keeps
 * trying to get over, or has not looked at the database for `withinMs`.
 *
 * @throws RelayUnhealthyError
 */
export async function relayHealthy(relay: Relay, withinMs = 10_000): Promise<void> {
  const { role, error, sinceProgressMs } = relay.status()
  if (role === 'stopped' || role === 'idle') throw new RelayUnhealthyError(`it is ${role}`, error)
  if (error !== undefined) throw new RelayUnhealthyError(error instanceof Error ? error.message : String(error), error)
  if (sinceProgressMs > withinMs)
    throw new RelayUnhealthyError(`no look at the outbox for ${Math.round(sinceProgressMs)} ms`)
}

/** Says each holder once, when it is first seen; answers those there are. */
function tellHolders(holders: readonly Holder[], told: ReadonlySet<string>, logger: Logger): ReadonlySet<string> {
  const now = new Set<string>()
  for (const holder of holders) {
    const name = `${holder.kind} ${holder.name} ${holder.pid}`
    now.add(name)
    if (!told.has(name)) logger.warn({ holder }, 'something holds back vacuum, retention or disk space')
  }
  return now
}

function withDefaults(given: RelayOptions = {}) {
  return {
    leaseMs: given.leaseMs ?? 3_000,
    standbyPollMs: given.standbyPollMs ?? 250,
    fallbackMs: given.fallbackMs ?? 100,
    checkpointMs: given.checkpointMs ?? 50,
    liveRows: given.liveRows ?? 1_000,
    pageRows: given.pageRows ?? 5_000,
    sendBytes: given.sendBytes ?? 4_000_000,
    partitionBytes: given.partitionBytes ?? 900_000,
    backoffMs: given.backoffMs ?? { first: 100, longest: 5_000 },
    lagMs: given.lagMs ?? 5_000,
    republishPerSecond: given.republishPerSecond ?? 5_000,
    monotonicMs: given.monotonicMs ?? (() => performance.now()),
    retention: {
      keepMs: given.retention?.keepMs ?? 30 * 86_400_000,
      everyMs: given.retention?.everyMs ?? 60_000,
      partitionRows: given.retention?.partitionRows ?? 10_000_000,
      ahead: given.retention?.ahead ?? 2,
    },
  }
}
